"""The recorded rows, checked, and their statistics.

A set of rows is a file of JSON lines in `recorded/`, one line a run, sorted. What the fields mean
stands in `recorded/schema.json`.
"""

import json
from pathlib import Path

import jsonschema
import pandas as pd
from scipy import stats

from lrcore.cifar.comparison import read_rows, write_whole

RECORDED = Path(__file__).with_name("recorded")
KEY = ["experiment", "scheduler", "epochs", "peak_lr", "seed"]


def recorded():
    """The names of the sets of rows that come with lrcore."""
    return sorted(file.stem for file in RECORDED.glob("*.jsonl"))


def rows(name):
    """Return the recorded set `name` as a DataFrame, one row a run.

    Raises ValueError for an unknown name, and for rows that break the schema.
    """
    if name not in recorded():
        raise ValueError(f"name={name!r}: recorded are {', '.join(recorded()) or 'none'}")
    file = RECORDED / f"{name}.jsonl"
    return pd.DataFrame(checked([json.loads(line) for line in file.read_text().splitlines()], file))


def checked(found, where):
    """Return the rows `found` if each fits the schema and none stands twice; else ValueError."""
    schema = json.loads((RECORDED / "schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    keys = set()
    for number, row in enumerate(found, 1):
        for error in validator.iter_errors(row):
            field = ".".join(map(str, error.path)) or "the row"
            raise ValueError(f"row {number} of {where}: {field}: {error.message}")
        if (row["accuracy"] is None) != (row["diverged_at"] is not None):
            raise ValueError(f"row {number} of {where}: accuracy is missing, but nothing diverged")
        key = tuple(row[name] for name in KEY)
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
    found.sort(key=lambda row: [row[name] for name in KEY])
    write_whole(Path(file), "".join(json.dumps(row) + "\n" for row in found))
    return len(found)


def summary(table, experiment="fair"):
    """Return one line per budget and scheduler: seeds, mean accuracy and its 95 % interval.

    `table` is what `rows` returns. `low` and `high` are the ends of Student's t interval of the
    mean, in percent; `diverged` counts runs without an accuracy, which the rest leaves out.
    Sorted by budget, best mean first.
    """
    lines = []
    chosen = table[table.experiment == experiment]
    for (epochs, scheduler), group in chosen.groupby(["epochs", "scheduler"]):
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

    `measure` is "accuracy" or "cross_entropy". Returns one line per scheduler: `difference` of the
    means (scheduler minus cosine), its interval `low` to `high`, the corrected p-value `p`, and
    `verdict`: "higher", "lower" or "tie". Schedulers with a diverged run are left out.
    """
    fair = table[(table.experiment == "fair") & (table.epochs == epochs)]
    samples = {
        scheduler: group[measure].astype(float)
        for scheduler, group in fair.groupby("scheduler")
        if group[measure].notna().all() and len(group) > 1
    }
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
    fair = table[(table.experiment == "fair") & (table.epochs == epochs)]
    return fair.groupby("scheduler").accuracy.var().mean() ** 0.5
