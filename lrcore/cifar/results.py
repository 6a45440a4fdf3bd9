"""The recorded rows, checked.

A set of rows is a file of JSON lines in `recorded/`, one line a run, sorted. What the fields mean
stands in `recorded/schema.json`.
"""

import json
import math
from pathlib import Path

import jsonschema
import pandas as pd

from lrcore.cifar.plans import run_of
from lrcore.cifar.store import read_lines, read_rows, take_in, write_lines

RECORDED = Path(__file__).with_name("recorded")


def recorded():
    """The names of the sets of rows that come with lrcore."""
    return sorted(file.stem for file in RECORDED.glob("*.jsonl"))


def rows(name):
    """Return the recorded set `name` as a DataFrame, one row a run.

    Raises ValueError for an unknown name, and for rows that break the schema.
    """
    return pd.DataFrame(_recorded_rows(name))


def _recorded_rows(name):
    if name not in recorded():
        raise ValueError(f"name={name!r}: recorded are {', '.join(recorded()) or 'none'}")
    file = RECORDED / f"{name}.jsonl"
    return checked(read_lines(file), file)


def sets(experiment):
    """{name: table} of the recorded sets that hold runs of `experiment`."""
    tables = {name: rows(name) for name in recorded()}
    return {name: t for name, t in tables.items() if experiment in set(t.experiment)}


def is_finite_number(_, value):
    """What the schema calls a number. JSON has no NaN, but Python reads and writes it."""
    return type(value) in (int, float) and math.isfinite(value)


Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("number", is_finite_number),
)


def checked(found, where):
    """Return the rows `found` if each fits the schema and none stands twice; else ValueError."""
    schema = json.loads((RECORDED / "schema.json").read_text())
    validator = Validator(schema)
    keys = set()
    for number, row in enumerate(found, 1):
        for error in validator.iter_errors(row):
            field = ".".join(map(str, error.path)) or "the row"
            raise ValueError(f"row {number} of {where}: {field}: {error.message}")
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


def export(place, file):
    """Write the rows of `place`, a results folder or a file of rows, to `file`, checked and sorted.

    Raises ValueError if there are none, or one breaks the schema; then nothing is written.
    """
    place = Path(place)
    found = checked(read_lines(place) if place.is_file() else read_rows(place), place)
    if not found:
        raise ValueError(f"place={str(place)!r} holds no results")
    write_lines(file, found)
    return len(found)


def restore(name, folder):
    """Write the recorded set `name` as a results folder, for `run` to go on from there.

    Raises ValueError for an unknown name, and for a folder that holds results already.
    """
    found = _recorded_rows(name)
    if read_rows(folder):
        raise ValueError(f"folder={str(folder)!r} holds results already: name another folder")
    take_in(found, folder)
