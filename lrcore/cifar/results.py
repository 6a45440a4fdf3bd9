"""The recorded rows, checked.

A set of rows is a file of JSON lines in `recorded/`, one line a run, sorted. What the fields mean
stands in `recorded/schema.json`.
"""

import json
from pathlib import Path

import fastjsonschema
import pandas as pd

from lrcore.cifar.plans import run_of
from lrcore.cifar.store import read_lines, read_rows, take_in, write_lines

RECORDED = Path(__file__).with_name("recorded")


def recorded():
    """The names of the sets of rows that come with lrcore.

    Returns:
        A sorted list of names, each of which `rows` takes.

    Example:
        >>> recorded()
        ['adamw', 'cooldowns', 'fair', 'small', 'transformer']
    """
    return sorted(file.stem for file in RECORDED.glob("*.jsonl"))


def rows(name):
    """The recorded rows of one set, one row a training run.

    What the columns mean stands in `lrcore/cifar/recorded/schema.json`.

    Args:
        name: the name of the set, one of `recorded()`: that of the plan.

    Returns:
        A DataFrame. Accuracies are in percent, budgets in epochs.

    Raises:
        ValueError: an unknown name, or rows that break the schema.

    Example:
        >>> table = rows("transformer")
        >>> table.groupby("experiment").size().to_dict()
        {'fair': 60, 'tuning': 84}
    """
    return pd.DataFrame(_recorded_rows(name))


def _recorded_rows(name):
    if name not in recorded():
        raise ValueError(f"name={name!r}: recorded are {', '.join(recorded()) or 'none'}")
    file = RECORDED / f"{name}.jsonl"
    return checked(read_lines(file), file)


def speed():
    """How fast training was, one row a measurement.

    Returns:
        A DataFrame, with NaN where a measurement has no such field. `what` says what was measured.
        `seconds_a_run_epoch` is for one run and one epoch of 45,000 images; runs that are trained
        together share their time. `seconds_to_record` is what a group takes once, before its first
        step. `best_accuracy_after_4_epochs`, of these runs, and `accuracies` (pairs: together,
        alone) are in percent. What losses differ by is relative.

    Example:
        >>> times = speed().dropna(subset="seconds_a_run_epoch")
        >>> sorted(set(times.what))[:2]
        ['23 runs together', 'one run alone, plain loop']
    """
    return pd.DataFrame(json.loads((RECORDED / "speed.json").read_text()))


def checked(found, where):
    """Return the rows `found` if each fits the schema and none stands twice; else ValueError."""
    validate = fastjsonschema.compile(json.loads((RECORDED / "schema.json").read_text()))
    keys = set()
    for number, row in enumerate(found, 1):
        try:
            validate(row)
        except fastjsonschema.JsonSchemaValueException as error:
            field = ".".join(error.path[1:])
            which = f"{field}: got {error.value!r}" if field else "the row"
            raise ValueError(f"row {number} of {where}: {which}: {error.message}") from None
        if not is_finite(row):
            field = next(name for name in row if not is_finite(row[name]))
            raise ValueError(f"row {number} of {where}: {field} holds NaN or an infinity")
        missing = [name for name in ("accuracy", "cross_entropy") if row[name] is None]
        if len(missing) != (0 if row["diverged_at"] is None else 2):
            raise ValueError(
                f"row {number} of {where}: diverged_at is {row['diverged_at']}, and null are "
                f"{missing}: accuracy and cross_entropy are null if a run diverged, else never"
            )
        key = tuple(run_of(row))
        if key in keys:
            raise ValueError(f"row {number} of {where}: the run {key} stands twice")
        keys.add(key)
    return found


def is_finite(value):
    """Whether it holds neither NaN nor an infinity: JSON has none, but Python reads and writes."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def export(place, file):
    """Write results to a file of JSON lines, one line a run, checked and sorted.

    Args:
        place: a folder of results, as `run` makes it, or a file of JSON lines.
        file: the file to write. An old one is replaced.

    Returns:
        The number of rows.

    Raises:
        ValueError: there are none, or one breaks the schema or stands twice. Then nothing is
            written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     export(RECORDED / "transformer.jsonl", Path(folder, "rows.jsonl"))
        144
    """
    place = Path(place)
    found = checked(read_lines(place) if place.is_file() else read_rows(place), place)
    if not found:
        raise ValueError(f"place={str(place)!r} holds no results")
    write_lines(file, found)
    return len(found)


def restore(name, folder):
    """Write a recorded set as a folder of results, for `run` to go on from there.

    Args:
        name: the name of the set, one of `recorded()`.
        folder: the folder to write to, one JSON file a run. It is made if it is not there.

    Raises:
        ValueError: an unknown name, or a folder that holds results already.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     restore("transformer", folder)
        ...     len(list(Path(folder).glob("*.json")))
        144
    """
    found = _recorded_rows(name)
    if read_rows(folder):
        raise ValueError(f"folder={str(folder)!r} holds results already: name another folder")
    take_in(found, folder)
