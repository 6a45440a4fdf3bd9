"""Recorded rows: what is refused, what is kept, and that what is recorded can be repeated."""

import functools
import json
import math

import pandas as pd
import pytest
from tiny_cifar import curve
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrcore.cifar import results
from lrcore.cifar.entries import EXPERIMENTS
from lrcore.cifar.plans import PLANS, run_of
from lrcore.cifar.results import checked, export, recorded, restore, rows
from lrcore.cifar.store import read_rows, write_row
from lrcore.cifar.trainer import spread_out
from lrcore.cifar.training import OPTIMIZERS


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
        "evaluations": [],
        "losses": [2.3] * 20,
        "lr": [0.1] * 48,
        "steps": 60,
        "network": "convolutional",
        "widths": [2, 2, 2, 4],
        "stride": 2,
        "batch_size": 10,
        "optimizer": "SGD",
        "optimizer_arguments": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.0005},
        "data": "tiny",
        "fingerprint": "0" * 64,
        "device": "CPU, x86_64",
        "threads": 1,
        "precision": "float32",
        "lrcore": "0.1.0",
        "torch": "2.13.0",
        "python": "3.11.7",
        "together": 1,
        "seconds": 0.5,
    } | changes


DIVERGED = {
    "accuracy": None,
    "cross_entropy": None,
    "diverged_at": 12,
    "losses": [2.3],
    "steps": 12,
}


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
        row(network="transformer", widths=None, stride=None),
        row(optimizer="AdamW", optimizer_arguments={"betas": [0.9, 0.999]}, together=23),
        row(experiment="horizon", evaluations=[[1, 50.5, 1.5], [2, 90, 0.5]]),
    ],
)
def test_rows_as_they_should_be_are_kept(good):
    assert checked([good], "here") == [good]


WRONG = {
    "plan": ["", None, 3],
    "experiment": ["test", "finals", None],
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
    "evaluations": [None, [[1, 50.0]], [[1, 50.0, 1.5, 2]], [[1, None, 1.5]], [[1, -1, 1.5]]],
    "losses": [[2.3] * 21, [None], [math.nan], 2.3],
    "lr": [[0.1] * 47, [0.1] * 49, [-0.1] * 48, ["0.1"] * 48, [math.nan] * 48, None],
    "steps": [0, 1.5, None],
    "network": ["resnet", None],
    "widths": [[2, 2, 2], [2, 2, 2, 2, 2], [2, 2, 2, 0], [2, 2, 2, 2.5], 8],
    "stride": [0, 3, "2"],
    "batch_size": [0, None],
    "optimizer": ["Adam", None],
    "optimizer_arguments": [None, []],
    "data": ["", None],
    "fingerprint": ["0" * 63, "0" * 65, "G" * 64, None],
    "device": ["", None],
    "threads": [0, 1.5],
    "precision": ["float64", None],
    "lrcore": [None],
    "torch": [None],
    "python": [None],
    "together": [0, 1.5, None],
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
    refused([wrong], "row 1 of there.jsonl: the row", f"must contain ['{field}']")


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
    assert recorded() == []
    with pytest.raises(ValueError, match="name='small': recorded are none"):
        rows("small")
    shelf("small", [row(), row(seed=301, **DIVERGED)])
    shelf("gpu", [row(experiment="defaults")])
    assert recorded() == ["gpu", "small"]
    table = rows("small")
    assert table.seed.tolist() == [300, 301]
    assert table.accuracy[0] == 90 and pd.isna(table.accuracy[1])
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
        write_row(folder, run_of(made), made)


def test_export_is_whole_and_sorted(tmp_path, shelf):
    # as text 10 comes before 2
    found = [row(epochs=epochs, seed=seed) for epochs in (10, 2) for seed in (301, 300)]
    found += [row("linear_lr"), row(experiment="defaults"), row(peak_lr=0.05)]
    write(tmp_path / "folder", found)
    file = results.RECORDED / "small.jsonl"
    assert export(tmp_path / "folder", file) == 7
    lines = file.read_text().splitlines()
    written = [json.loads(line) for line in lines]
    assert written == sorted(found, key=run_of)
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


@pytest.mark.parametrize("wrong", ["{}", "no JSON", "[1]", json.dumps(row())[:-1]])
def test_what_is_no_result_is_named_with_its_line(tmp_path, shelf, wrong):
    file = results.RECORDED / "small.jsonl"
    file.write_text(json.dumps(row()) + "\n" + wrong + "\n")
    with pytest.raises(ValueError, match="line 2 of .*small.jsonl"):
        rows("small")
    with pytest.raises(ValueError, match="line 2 of .*small.jsonl"):
        export(file, tmp_path / "new.jsonl")
    assert not (tmp_path / "new.jsonl").exists()


def test_a_file_of_rows_is_exported_as_a_folder_is(tmp_path, shelf):
    found = [row(seed=301), row(seed=300)]
    shelf("small", found)
    write(tmp_path / "folder", found)
    for place, file in (("recorded/small.jsonl", "one"), ("folder", "other")):
        assert export(tmp_path / place, tmp_path / file) == 2
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


# ---------------------------------------------------------------------- what is recorded


def entry_of(row):
    return EXPERIMENTS[row["experiment"]][row["scheduler"]]


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
        assert found_in(name) == sorted(found_in(name), key=run_of)
        fields = ("fingerprint", "data", "device", "precision", "torch", "lrcore")
        one_each = {tuple(row[field] for field in fields) for row in found_in(name)}
        assert len(one_each) == 1, "one data set, one machine and one setting in a set of rows"


def test_recorded_sets_are_those_of_the_plans_of_their_names():
    """All runs of the plan, those at tuned rates too, and no others."""
    for name in recorded():
        found, plan = found_in(name), PLANS[name]
        runs = plan.runs(found)
        assert sorted(runs) == [run_of(row) for row in found]
        assert sum(run.epochs for run in runs) == plan.all_epochs
        for row in found:
            assert (row["plan"], row["network"], row["optimizer"], row["batch_size"]) == (
                (name, plan.network, plan.optimizer, plan.batch_size)
            )
            convolutional = plan.network == "convolutional"
            assert row["widths"] == (list(plan.widths) if convolutional else None)
            assert row["stride"] == (plan.stride if convolutional else None)
            arguments = json.loads(json.dumps(OPTIMIZERS[plan.optimizer]))
            assert row["optimizer_arguments"] == arguments


def test_recorded_runs_can_be_repeated():
    """The entries give the arguments that each row names: what was recorded is what is there."""
    for name in recorded():
        for row in found_in(name):
            entry, steps = entry_of(row), row["epochs"] * steps_an_epoch(name)
            every = entry.every(steps, row["epochs"])
            assert row["scheduler_every"] == every, run_of(row)
            assert row["arguments"] == entry.arguments(steps // every, row["peak_lr"])
            assert row["made_by"] == entry.make.__name__
            assert row["judged_on"] == {"tuning": "validation"}.get(row["experiment"], "test")


def test_recorded_rates_are_those_of_the_scheduler():
    for name in recorded():
        # one run of each entry, a short one: for all others the test above looks at the arguments
        falling = sorted(found_in(name), key=lambda row: (-row["epochs"], row["diverged_at"] or 0))
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
            assert row["lr"] == [float(f"{rate:.4g}") for rate in spread_out(wanted)], run_of(row)


def test_horizon_runs_are_looked_at_after_each_epoch_and_no_others():
    for name in recorded():
        for row in found_in(name):
            looks = row["evaluations"]
            if row["experiment"] != "horizon" or row["diverged_at"]:
                assert looks == []
                continue
            assert [epoch for epoch, *_ in looks] == list(range(1, row["epochs"] + 1))
            assert looks[-1][1:] == [row["accuracy"], row["cross_entropy"]]


def test_the_same_run_in_two_experiments_gave_the_same():
    """The horizon runs planned right are fair runs made again: same rate, same seed."""
    for name in recorded():
        fair = {run_of(row): row for row in found_in(name) if row["experiment"] == "fair"}
        for again, scheduler in (
            ("cosine_planned_right", "cosine_annealing_lr"),
            ("wsd_planned_right", "warmup_stable_decay"),
        ):
            for row in found_in(name):
                run = run_of(row)._replace(experiment="fair", scheduler=scheduler)
                if row["scheduler"] == again and run in fair:
                    same = ("peak_lr", "arguments", "lr", "steps", "fingerprint")
                    assert [row[field] for field in same] == [fair[run][field] for field in same]


# ---------------------------------------------------------------------- speed


def test_the_speed_table_has_one_row_a_measurement():
    file = json.loads((results.RECORDED / "speed.json").read_text())
    table = results.speed()
    assert table.what.tolist() == [row["what"] for row in file]
    for (_, line), row in zip(table.iterrows(), file, strict=True):
        measured = line[[name for name in row if name != "accuracies"]].dropna()
        assert measured.to_dict() == {k: v for k, v in row.items() if k != "accuracies"}
    timed = table[table.what != "together against alone, float32"]
    assert (timed.seconds_a_run_epoch > 0).all()
    assert not table.what.str.contains("arithmetic").any()  # it was measured wrongly


def test_runs_together_gave_the_losses_of_the_same_runs_alone():
    row = results.speed().set_index("what").loc["together against alone, float32"]
    assert row.first_losses_differ_by < 0.001 and row.last_losses_differ_by < 0.02
    assert all(abs(together - alone) < 1 for together, alone in row.accuracies)
