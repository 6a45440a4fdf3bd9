"""Recorded rows: what is refused, what is kept, and their statistics against plain computations."""

import functools
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from tiny_cifar import curve
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrcore.cifar import results
from lrcore.cifar.comparison import read_rows, spread_out, write_row
from lrcore.cifar.entries import DEFAULTS, FAIR
from lrcore.cifar.plans import Run
from lrcore.cifar.results import against_cosine, checked, export, recorded, restore, rows, summary


def row(scheduler="step_lr", seed=300, accuracy=90.0, **changes):
    """A row as `run` makes them."""
    return {
        "plan": "tiny",
        "experiment": "fair",
        "scheduler": scheduler,
        "epochs": 2,
        "peak_lr": 0.1,
        "seed": seed,
        "made_by": "StepLR",
        "arguments": {"step_size": 20, "gamma": 0.1},
        "scheduler_every": 1,
        "judged_on": "test",
        "accuracy": accuracy,
        "cross_entropy": 0.5,
        "diverged_at": None,
        "losses": [2.3] * 20,
        "lr": [0.1] * 48,
        "steps": 60,
        "widths": [2, 2, 2, 4],
        "stride": 2,
        "batch_size": 10,
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "data": "tiny",
        "fingerprint": "0" * 64,
        "device": "CPU, x86_64",
        "threads": 1,
        "precision": "float32",
        "lrcore": "0.1.0",
        "torch": "2.13.0",
        "python": "3.11.7",
        "seconds": 0.5,
    } | changes


DIVERGED = {
    "accuracy": None,
    "cross_entropy": None,
    "diverged_at": 12,
    "losses": [2.3],
    "steps": 12,
}


def name_of(row):
    return Run(*(row[field] for field in Run._fields))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder in the place of the recorded sets: add(name, rows)."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    schema = results.RECORDED / "schema.json"
    (folder / "schema.json").write_text(schema.read_text())
    monkeypatch.setattr(results, "RECORDED", folder)

    def add(name, found):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))

    return add


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "good",
    [
        row(),
        row(**DIVERGED),
        row(**DIVERGED | {"losses": []}),
        row(threads=None, device="NVIDIA H100", precision="bfloat16"),
        row(experiment="tuning", judged_on="validation", arguments={}),
        row(accuracy=100, cross_entropy=0),
    ],
)
def test_rows_as_they_should_be_are_kept(good):
    assert checked([good], "here") == [good]


WRONG = {
    "plan": ["", None, 3],
    "experiment": ["test", None],
    "scheduler": ["", None],
    "epochs": [0, 1.5, "2", None, True],
    "peak_lr": [0, -0.1, "0.1", None],
    "seed": [-1, 0.5, None],
    "made_by": [None, 3],
    "arguments": [None, []],
    "scheduler_every": [0, None],
    "judged_on": ["train", None],
    "accuracy": [-0.1, 100.1, "90", True, math.nan],
    "cross_entropy": [-0.1, "0.5", math.nan, math.inf],
    "diverged_at": [0, 1.5],
    "losses": [[2.3] * 21, [None], [math.nan], 2.3],
    "lr": [[0.1] * 47, [0.1] * 49, [-0.1] * 48, ["0.1"] * 48, [math.nan] * 48, None],
    "steps": [0, 1.5, None],
    "widths": [[2, 2, 2], [2, 2, 2, 0], [2, 2, 2, 2.5], None],
    "stride": [0, 3, None],
    "batch_size": [0, None],
    "momentum": [-0.1, 1, None],
    "weight_decay": [-0.1, None],
    "data": ["", None],
    "fingerprint": ["0" * 63, "0" * 65, "G" * 64, None],
    "device": ["", None],
    "threads": [0, 1.5],
    "precision": ["float64", None],
    "lrcore": [None],
    "torch": [None],
    "python": [None],
    "seconds": [-1, None],
}


def refused(found, *words):
    with pytest.raises(ValueError) as caught:
        checked(found, "there.jsonl")
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"not in the message: {missing}: {caught.value}"


def test_every_field_is_tried():
    assert set(WRONG) == set(row())


@pytest.mark.parametrize(
    "field, value", [(field, value) for field, values in WRONG.items() for value in values]
)
def test_a_wrong_value_is_refused(field, value):
    refused([row(), row(seed=301) | {field: value}], f"row 2 of there.jsonl: {field}")


@pytest.mark.parametrize("field", row())
def test_a_missing_field_is_refused(field):
    wrong = row()
    del wrong[field]
    refused([wrong], "row 1 of there.jsonl: the row", f"'{field}' is a required property")


def test_another_field_is_refused():
    refused([row(note="mine")], "row 1 of there.jsonl: the row", "note")


@pytest.mark.parametrize(
    "changes", [{"accuracy": None}, {"diverged_at": 12}, DIVERGED | {"diverged_at": None}]
)
def test_a_run_has_an_accuracy_or_diverged(changes):
    refused([row(**changes)], "row 1 of there.jsonl", "accuracy", "diverged")


@pytest.mark.parametrize("changes", [{}, {"accuracy": 91.0}, {"plan": "other"}])
def test_a_run_that_stands_twice_is_refused(changes):
    found = [row(), row(seed=301), row(**changes)]
    refused(found, "row 3 of there.jsonl", "twice", "step_lr", "300")


def test_another_seed_rate_budget_or_experiment_is_another_run():
    other = [{"seed": 301}, {"peak_lr": 0.2}, {"epochs": 3}, {"experiment": "tuning"}]
    found = [row(), *(row(**changes) for changes in other), row(scheduler="linear_lr")]
    assert checked(found, "here") == found


# ---------------------------------------------------------------------- sets of rows


def test_sets_are_found_by_name(shelf):
    assert recorded() == [] and results.sets("fair") == {}
    with pytest.raises(ValueError, match="name='small': recorded are none"):
        rows("small")
    shelf("small", [row(), row(seed=301, **DIVERGED)])
    shelf("gpu", [row(experiment="defaults")])
    assert recorded() == ["gpu", "small"]
    table = rows("small")
    assert table.seed.tolist() == [300, 301]
    assert table.accuracy[0] == 90 and pd.isna(table.accuracy[1])
    assert list(results.sets("fair")) == ["small"] and list(results.sets("defaults")) == ["gpu"]
    for wrong in ("smal", "small.jsonl", "../small", ""):
        with pytest.raises(ValueError, match="recorded are gpu, small"):
            rows(wrong)


def test_a_set_with_a_wrong_row_is_refused(shelf):
    shelf("small", [row(), row(seed=301, epochs=0)])
    with pytest.raises(ValueError, match="row 2 of .*small.jsonl: epochs"):
        rows("small")


def write(folder, found):
    folder.mkdir(exist_ok=True)
    for made in found:
        write_row(folder, name_of(made), made)


def test_export_is_whole_and_sorted(tmp_path, shelf):
    # as text 10 comes before 2
    found = [row(epochs=epochs, seed=seed) for epochs in (10, 2) for seed in (301, 300)]
    found += [row("linear_lr"), row(experiment="defaults"), row(peak_lr=0.05)]
    write(tmp_path / "folder", found)
    file = results.RECORDED / "small.jsonl"
    assert export(tmp_path / "folder", file) == 7
    lines = file.read_text().splitlines()
    written = [json.loads(line) for line in lines]
    assert written == sorted(found, key=name_of)
    assert rows("small").epochs.tolist() == [2, 2, 2, 2, 2, 10, 10]
    before = file.read_bytes()
    assert export(str(tmp_path / "folder"), str(file)) == 7
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir() if path != file] == ["schema.json"]


@pytest.mark.parametrize("found", [[], [row(), row(seed=301, stride=3)]], ids=["none", "wrong"])
def test_export_writes_all_or_nothing(tmp_path, found):
    write(tmp_path / "folder", found)
    (tmp_path / "old.jsonl").write_text("old")
    for file in ("old.jsonl", "new.jsonl"):
        with pytest.raises(ValueError, match="folder"):
            export(tmp_path / "folder", tmp_path / file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "old.jsonl"]
    assert (tmp_path / "old.jsonl").read_text() == "old"


def test_a_set_is_restored_as_it_was_recorded(tmp_path, shelf):
    found = [row(seed=300), row(seed=301, **DIVERGED)]
    write(tmp_path / "made", found)
    export(tmp_path / "made", results.RECORDED / "small.jsonl")
    restore("small", tmp_path / "again" / "folder")
    assert read_rows(tmp_path / "again" / "folder") == found
    with pytest.raises(ValueError, match="holds results already"):
        restore("small", tmp_path / "made")
    with pytest.raises(ValueError, match="name='other'"):
        restore("other", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_runs_are_picked_by_experiment_budget_and_scheduler():
    table = pd.DataFrame(
        [row(seed=301), row(seed=300), row("linear_lr"), row(epochs=8), row(experiment="tuning")]
    )
    assert results.runs_of(table, "fair").epochs.tolist() == [2, 2, 2, 8]
    assert results.runs_of(table, "fair", 2).scheduler.tolist() == ["linear_lr", *2 * ["step_lr"]]
    assert results.runs_of(table, "fair", 2, "step_lr").seed.tolist() == [300, 301]
    assert results.budgets(table, "fair") == [2, 8] and results.budgets(table, "tuning") == [2]
    assert results.longest(table, "fair") == 8 and results.longest(table, "tuning") == 2


def test_it_is_said_what_rows_were_measured_on():
    one, other = row(), row(threads=None, device="GPU", precision="bfloat16")
    text = results.measured_on(pd.DataFrame([one, other]))
    assert text.splitlines() == [
        "runs: 2",
        "data: tiny",
        "network: widths [2, 2, 2, 4], stride 2",
        "batch size: 10",
        "device: CPU, x86_64, 1 thread and GPU",
        "precision: bfloat16 and float32",
        "torch: 2.13.0",
    ]
    assert "x86_64, 2 threads\n" in results.measured_on(pd.DataFrame([row(threads=2)]))


# ---------------------------------------------------------------------- statistics


def table_of(accuracies, epochs=2):
    """Rows of fair runs, from {scheduler: accuracy of each seed}; cross-entropy is its opposite."""
    made = []
    for scheduler, values in accuracies.items():
        for i, accuracy in enumerate(values):
            changes = DIVERGED if accuracy is None else {"accuracy": accuracy}
            made.append(row(scheduler, 300 + i, epochs=epochs) | changes)
            if accuracy is not None:
                made[-1]["cross_entropy"] = (100 - accuracy) / 20
    return pd.DataFrame(made)


def test_summary_agrees_with_a_computation_by_hand():
    accuracies = {"constant": [90, 91, 95], "step_lr": [96.5, 96.5], "linear_lr": [50, 60, None]}
    table = pd.concat([table_of(accuracies, 8), table_of({"constant": [1, 2, 3]}, 2)])
    table = pd.concat([table, pd.DataFrame([row(experiment="tuning", accuracy=1.0)])])
    lines = summary(table)
    assert lines.epochs.tolist() == [2, 8, 8, 8]
    assert lines.scheduler.tolist() == ["constant", "step_lr", "constant", "linear_lr"]
    assert lines.seeds.tolist() == [3, 2, 3, 2]
    assert lines.diverged.tolist() == [0, 0, 0, 1]
    assert lines.accuracy.tolist() == [2, 96.5, 92, 55]
    # quantiles of Student's t at 97.5 %: 12.7062 with 1 degree of freedom, 4.30265 with 2
    halves = [4.30265 / math.sqrt(3), 0, 4.30265 * math.sqrt(7) / math.sqrt(3), 12.7062 * 5]
    assert (lines.high - lines.accuracy).tolist() == pytest.approx(halves, rel=1e-5)
    assert (lines.accuracy - lines.low).tolist() == pytest.approx(halves, rel=1e-5)
    assert lines.cross_entropy.tolist() == pytest.approx([4.9, 0.175, 0.4, 2.25])
    assert lines.peak_lr.tolist() == [0.1] * 4
    assert summary(table, "tuning").accuracy.tolist() == [1]


@pytest.mark.parametrize("values", [[90.0], [90.0, None]])
def test_one_seed_has_a_mean_but_no_interval(values):
    line = summary(table_of({"constant": values})).iloc[0]
    assert line.accuracy == 90 and line.seeds == 1
    assert pd.isna(line.low) and pd.isna(line.high)


def test_all_seeds_may_have_diverged():
    line = summary(table_of({"constant": [None, None]})).iloc[0]
    assert line.seeds == 0 and line.diverged == 2 and pd.isna(line.accuracy)


def test_spread_is_the_pooled_standard_deviation():
    table = table_of({"constant": [90, 92], "step_lr": [80, 86], "linear_lr": [70, None]})
    assert results.spread(table, 2) == pytest.approx(math.sqrt((2 + 18) / 2))


def samples(shifts, seeds=10, sd=0.3):
    random = np.random.default_rng(1)
    return {
        name: (90 + shift + sd * random.standard_normal(seeds)).tolist()
        for name, shift in shifts.items()
    }


def test_with_one_scheduler_the_comparison_is_students_t_test():
    accuracies = samples({"step_lr": 0.3, "cosine_annealing_lr": 0.0}, seeds=6)
    line = against_cosine(table_of(accuracies), 2).iloc[0]
    test = stats.ttest_ind(accuracies["step_lr"], accuracies["cosine_annealing_lr"])
    interval = test.confidence_interval()
    assert line.p == pytest.approx(test.pvalue, abs=1e-3)
    assert [line.low, line.high] == pytest.approx([interval.low, interval.high], abs=1e-3)


@functools.cache
def simulated_maxima(groups, seeds):
    """The largest |t| of `groups` comparisons with one control, if all are the same: draws."""
    random = np.random.default_rng(2)
    draws = 100_000
    means = random.standard_normal((draws, groups + 1)) / math.sqrt(seeds)
    degrees = (groups + 1) * (seeds - 1)
    sd = np.sqrt(random.chisquare(degrees, draws) / degrees)
    t = (means[:, 1:] - means[:, :1]) / (sd * math.sqrt(2 / seeds))[:, None]
    return np.abs(t).max(axis=1)


SHIFTS = {
    "step_lr": 0.9,
    "linear_lr": 0.1,
    "constant": -0.9,
    "lambda_lr": 0.0,
    "cosine_annealing_lr": 0.0,
}


def test_several_comparisons_are_corrected():
    accuracies = samples(SHIFTS)
    lines = against_cosine(table_of(accuracies), 2)
    control = accuracies.pop("cosine_annealing_lr")
    pooled = math.sqrt(np.mean([np.var(v, ddof=1) for v in [control, *accuracies.values()]]))
    error = pooled * math.sqrt(2 / 10)
    maxima = simulated_maxima(4, 10)
    half = np.quantile(maxima, 0.95) * error
    assert len(lines) == 4
    for line in lines.itertuples():
        difference = np.mean(accuracies[line.scheduler]) - np.mean(control)
        assert line.difference == pytest.approx(difference, abs=1e-9)
        assert line.p == pytest.approx((maxima >= abs(difference) / error).mean(), abs=0.01)
        assert [line.low, line.high] == pytest.approx(
            [difference - half, difference + half], abs=0.02
        )
    verdicts = dict(zip(lines.scheduler, lines.verdict, strict=True))
    assert verdicts == {
        "step_lr": "higher",
        "linear_lr": "tie",
        "lambda_lr": "tie",
        "constant": "lower",
    }
    assert lines.difference.is_monotonic_decreasing
    assert ((lines.verdict == "tie") == (lines.p > 0.05)).all()


def test_a_lower_cross_entropy_is_lower():
    lines = against_cosine(table_of(samples(SHIFTS)), 2, measure="cross_entropy")
    verdicts = dict(zip(lines.scheduler, lines.verdict, strict=True))
    assert verdicts["step_lr"] == "lower" and verdicts["constant"] == "higher"


def test_the_comparison_is_the_same_every_time():
    table = table_of(samples(SHIFTS))
    first = against_cosine(table, 2)
    np.random.seed(5)
    torch.manual_seed(5)
    pd.testing.assert_frame_equal(against_cosine(table, 2), first)
    shuffled = table.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(against_cosine(shuffled, 2), first)


def test_diverged_schedulers_and_other_runs_are_left_out():
    accuracies = samples({"step_lr": 0.3, "cosine_annealing_lr": 0.0}, seeds=4)
    first = against_cosine(table_of(accuracies), 2)
    accuracies |= {"constant": [90.0, 90.1, None, 90.2], "linear_lr": [90.0]}
    others = [
        row("step_lr", 300 + i, 10.0, experiment=experiment, epochs=epochs)
        for i in range(4)
        for experiment, epochs in [("defaults", 2), ("tuning", 2), ("fair", 8)]
    ]
    table = pd.concat([table_of(accuracies), pd.DataFrame(others)])
    pd.testing.assert_frame_equal(against_cosine(table, 2), first)


# ---------------------------------------------------------------------- what is recorded


def entry_of(row):
    return (DEFAULTS if row["experiment"] == "defaults" else FAIR)[row["scheduler"]]


@functools.cache
def found_in(name):
    """The rows of a recorded set, as they stand there."""
    text = (results.RECORDED / f"{name}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def steps_an_epoch(name):
    (steps,) = {row["steps"] / row["epochs"] for row in found_in(name) if not row["diverged_at"]}
    return int(steps)


def test_recorded_sets_are_as_they_should_be():
    for name in recorded():
        assert len(rows(name)) == len(found_in(name)) > 0
        assert found_in(name) == sorted(found_in(name), key=name_of)
        one_each = {(row["fingerprint"], row["data"], row["plan"]) for row in found_in(name)}
        assert len(one_each) == 1, "one data set and one plan in a set of rows"


def test_recorded_runs_can_be_repeated():
    """The entries give the arguments that each row names: what was recorded is what is there."""
    for name in recorded():
        for row in found_in(name):
            entry, steps = entry_of(row), row["epochs"] * steps_an_epoch(name)
            every = entry.every(steps, row["epochs"])
            assert row["scheduler_every"] == every, name_of(row)
            assert row["arguments"] == entry.arguments(steps // every, row["peak_lr"])
            assert row["made_by"] == entry.make.__name__
            assert row["judged_on"] == {"tuning": "validation"}.get(row["experiment"], "test")


def test_recorded_rates_are_those_of_the_scheduler():
    for name in recorded():
        # one run of each entry, a short one: for all others the test above looks at the arguments
        falling = sorted(found_in(name), key=lambda row: -row["epochs"])
        chosen = {entry_of(row): row for row in falling}
        for row in chosen.values():
            entry, every = entry_of(row), row["scheduler_every"]
            if entry.make is ReduceLROnPlateau:
                falls = zip(row["lr"], row["lr"][1:], strict=False)
                assert row["lr"][0] == row["peak_lr"] and all(b <= a for a, b in falls)
                continue
            n = -(-row["steps"] // every)
            rates = curve(entry, n, row["peak_lr"], **row["arguments"]).lr
            wanted = [rates[t // every] for t in range(row["steps"])]
            assert row["lr"] == [float(f"{rate:.4g}") for rate in spread_out(wanted)], name_of(row)
