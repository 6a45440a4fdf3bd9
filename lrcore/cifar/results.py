"""The recorded rows, checked, and their statistics.

A set of rows is a file of JSON lines in `recorded/`, one line a run, sorted. What the fields mean
stands in `recorded/schema.json`.
"""

import json
import math
from pathlib import Path

import jsonschema
import pandas as pd
from scipy import stats

from lrcore.cifar.comparison import read_rows, write_row, write_whole
from lrcore.cifar.plans import Run

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
    return checked([json.loads(line) for line in file.read_text().splitlines()], file)


def sets(experiment):
    """{name: table} of the recorded sets that hold runs of `experiment`."""
    tables = {name: rows(name) for name in recorded()}
    return {name: t for name, t in tables.items() if experiment in set(t.experiment)}


def runs_of(table, experiment, epochs=None, scheduler=None):
    """The rows of one experiment, and if they are named of one budget and one scheduler."""
    runs = table[table.experiment == experiment]
    if epochs is not None:
        runs = runs[runs.epochs == epochs]
    if scheduler is not None:
        runs = runs[runs.scheduler == scheduler]
    return runs.sort_values(["epochs", "scheduler", "seed"])


def budgets(table, experiment):
    """The budgets of one experiment, in epochs, the smallest first."""
    return sorted(set(runs_of(table, experiment).epochs))


def longest(table, experiment):
    """The largest budget of one experiment, in epochs."""
    return max(runs_of(table, experiment).epochs)


def measured_on(table):
    """What the rows of `table` were measured on, one fact a line."""
    facts = {
        "data": table.data,
        "network": table.widths.map("widths {}".format) + table.stride.map(", stride {}".format),
        "batch size": table.batch_size,
        "device": table.device + table.threads.map(threads_in_words),
        "precision": table.precision,
        "torch": table.torch,
    }
    lines = [f"{name}: {' and '.join(sorted(set(map(str, fact))))}" for name, fact in facts.items()]
    return "\n".join([f"runs: {len(table)}", *lines])


def threads_in_words(threads):
    return "" if pd.isna(threads) else f", {threads:.0f} thread" + "s" * (threads > 1)


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
        key = tuple(row[name] for name in Run._fields)
        if key in keys:
            raise ValueError(f"row {number} of {where}: the run {key} stands twice")
        keys.add(key)
    return found


def export(folder, file):
    """Write the rows of the results folder `folder` to `file`, as JSON lines in a fixed order.

    Raises ValueError if there are none, or one breaks the schema; then nothing is written.
    """
    found = checked(read_rows(folder), folder)
    if not found:
        raise ValueError(f"folder={str(folder)!r} holds no results")
    found.sort(key=lambda row: [row[name] for name in Run._fields])
    write_whole(Path(file), "".join(json.dumps(row) + "\n" for row in found))
    return len(found)


def restore(name, folder):
    """Write the recorded set `name` as a results folder, for `run` to go on from there.

    Raises ValueError for an unknown name, and for a folder that holds results already.
    """
    found = _recorded_rows(name)
    if read_rows(folder):
        raise ValueError(f"folder={str(folder)!r} holds results already: name another folder")
    Path(folder).mkdir(parents=True, exist_ok=True)
    for row in found:
        write_row(folder, Run(*(row[key] for key in Run._fields)), row)


def summary(table, experiment="fair"):
    """Return one line per budget and scheduler: seeds, mean accuracy and its 95 % interval.

    `table` is what `rows` returns. `low` and `high` are the ends of Student's t interval of the
    mean, in percent; `diverged` counts runs without an accuracy, which the rest leaves out.
    Sorted by budget, best mean first.
    """
    lines = []
    grouped = runs_of(table, experiment).groupby(["epochs", "scheduler"])
    for (epochs, scheduler), group in grouped:
        accuracy = group.accuracy.dropna().astype(float)
        half = stats.t.ppf(0.975, len(accuracy) - 1) * accuracy.sem() if len(accuracy) > 1 else None
        lines.append(
            {
                "epochs": epochs,
                "scheduler": scheduler,
                "seeds": len(accuracy),
                "diverged": len(group) - len(accuracy),
                "peak_lr": group.peak_lr.iloc[0],
                "accuracy": accuracy.mean(),
                "low": accuracy.mean() - half if half is not None else None,
                "high": accuracy.mean() + half if half is not None else None,
                "cross_entropy": group.cross_entropy.dropna().astype(float).mean(),
            }
        )
    order = {"by": ["epochs", "accuracy"], "ascending": [True, False]}
    return pd.DataFrame(lines).sort_values(**order, ignore_index=True)


def against_cosine(table, epochs, measure="accuracy"):
    """Compare every scheduler with cosine annealing over the fair runs of one budget.

    Dunnett's test (1955) does all comparisons with one control at once: a 95 % chance that *all*
    intervals hold, not each. It takes the spread between seeds to be the same for all schedulers,
    which a few seeds each need: together they tell the spread, alone they could not.

    Raises ValueError if there are no such runs of cosine annealing.

    `measure` is "accuracy" or "cross_entropy". Returns one line per scheduler: `difference` of the
    means (scheduler minus cosine), its interval `low` to `high`, the corrected p-value `p`, and
    `verdict`: "higher", "lower" or "tie". Schedulers with a diverged run are left out.
    """
    samples = {
        scheduler: group[measure].astype(float)
        for scheduler, group in runs_of(table, "fair", epochs).groupby("scheduler")
        if group[measure].notna().all() and len(group) > 1
    }
    if "cosine_annealing_lr" not in samples:
        raise ValueError(f"epochs={epochs}: there is no cosine annealing to compare with")
    cosine = samples.pop("cosine_annealing_lr")
    # its p-values are integrated with random points: a seed makes them the same every time
    test = stats.dunnett(*samples.values(), control=cosine, rng=0)
    interval = test.confidence_interval()
    lines = pd.DataFrame(
        {
            "scheduler": list(samples),
            "difference": [sample.mean() - cosine.mean() for sample in samples.values()],
            "low": interval.low,
            "high": interval.high,
            "p": test.pvalue,
        }
    )
    lines["verdict"] = "tie"
    lines.loc[lines.low > 0, "verdict"] = "higher"
    lines.loc[lines.high < 0, "verdict"] = "lower"
    return lines.sort_values("difference", ascending=False, ignore_index=True)


def spread(table, epochs):
    """Standard deviation between seeds, pooled over the schedulers of one fair budget."""
    return runs_of(table, "fair", epochs).groupby("scheduler").accuracy.var().mean() ** 0.5
