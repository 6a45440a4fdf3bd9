"""Making the runs of a plan: all of them, each once, whatever happens; and the command line."""

import itertools
import json
import multiprocessing
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pooch
import pytest
import tiny_cifar
import torch
from tiny_cifar import MACHINE_OF_A_CLUSTER, PLAN, make, without_times

import lrcore.cifar
from lrcore.cifar import PLANS, comparison, data, store, trainer
from lrcore.cifar.__main__ import main
from lrcore.cifar.comparison import run
from lrcore.cifar.networks import pictures
from lrcore.cifar.plans import CHANCE, accuracies, run_of
from lrcore.cifar.results import checked
from lrcore.cifar.store import claim, read_lines, read_rows, release, take_in, write_lines
from lrcore.cifar.together import Together
from lrcore.cifar.trainer import Trainer, group_size, spread_out
from lrcore.cifar.training import Setup, train

RUNS, GROUP = 15, 3
PATIENCE = 200  # seconds, for what takes a few on a machine with nothing else to do
EPOCHS = 6 * 1 + 3 * 2 * 1 + 3 * 2


@pytest.fixture
def made(monkeypatch):
    """The names of the runs that are made in this process, group by group."""
    groups, make_rows = [], Trainer.make_rows

    def logged(trainer, runs):
        groups.append([run.name for run in runs])
        return make_rows(trainer, runs)

    monkeypatch.setattr(Trainer, "make_rows", logged)
    return groups


@pytest.fixture
def one_run(tmp_path, undisturbed):
    """A folder with one result of the plan."""
    take_in(undisturbed[-1:], tmp_path / "results")
    return tmp_path / "results"


def names(rows):
    return [run_of(row).name for row in rows]


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------- rows


def test_all_runs_are_made_and_fit_the_schema(undisturbed):
    assert checked(undisturbed, "here") == undisturbed
    assert sorted(names(undisturbed)) == sorted(run.name for run in PLAN.runs(undisturbed))
    assert len(undisturbed) == RUNS
    assert sum(row["epochs"] for row in undisturbed) == EPOCHS == PLAN.all_epochs


@pytest.mark.parametrize("scheduler", ["cosine_annealing_lr", "reduce_lr_on_plateau"])
def test_a_row_has_all_that_is_needed_to_repeat_it(undisturbed, one_thread, scheduler):
    """By the plain loop, one run alone: rounding is all that it may differ by."""
    row = next(r for r in undisturbed if r["epochs"] == 2 and r["scheduler"] == scheduler)
    make_scheduler = getattr(torch.optim.lr_scheduler, row["made_by"])
    precision = getattr(torch, row["precision"])
    task = pictures(row["widths"], row["stride"])
    outcome = train(
        tiny_cifar.tiny_data(),
        Setup(task, row["optimizer"], row["batch_size"], precision),
        lambda optimizer: make_scheduler(optimizer, **row["arguments"]),
        epochs=row["epochs"],
        lr=row["peak_lr"],
        seed=row["seed"],
        every=row["scheduler_every"],
        judge_on=row["judged_on"],
    )
    assert outcome.accuracy == row["accuracy"]
    assert outcome.cross_entropy == pytest.approx(row["cross_entropy"], rel=1e-5)
    assert row["losses"] == pytest.approx(outcome.losses, abs=2e-5)
    assert row["lr"] == [float(f"{rate:.4g}") for rate in spread_out(outcome.lr)]
    assert row["steps"] == len(outcome.lr) == 60
    assert row["device"].startswith("CPU") and row["threads"] == 1
    assert row["fingerprint"] == tiny_cifar.tiny_data().fingerprint
    assert row["optimizer_arguments"] == {
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 5e-4,
    }


def test_runs_of_one_seed_are_made_together(tmp_path, tiny, made, undisturbed):
    start = time.perf_counter()
    run(PLAN, results=tmp_path, limit=7)
    taken = time.perf_counter() - start
    order = [run.name for run in PLAN.runs(undisturbed)]
    assert made == [order[:3], order[3:6], order[6:7]]
    rows = {run_of(row).name: row for row in read_rows(tmp_path)}
    for group in made:
        assert {rows[name]["together"] for name in group} == {len(group)}
        assert len({rows[name]["seconds"] for name in group}) == 1, "shared equally"
    assert 0 < sum(row["seconds"] for row in rows.values()) <= taken


@pytest.mark.parametrize(
    "schedulers, device, size",
    [
        (23, "cuda", 23),
        (6, "cuda", 30),
        (3, "cpu", 3),
        (2, "cpu", 4),
        (23, "cpu", 4),
        (23, "mps", 4),
    ],
)
def test_all_schedulers_fit_in_a_group_or_it_is_as_large_as_it_may_be(schedulers, device, size):
    names = PLANS["fair"].schedulers[:schedulers]
    plan = replace(PLANS["fair"], schedulers=names, horizon={}, primary=None)
    assert len(plan.schedulers) == schedulers
    assert group_size(plan, device) == size


def test_where_runs_go_one_by_one_they_give_the_same(tmp_path, tiny, undisturbed, monkeypatch):
    """In float16, on Colab's T4: each run has a scale of its own there, and may skip steps."""
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "best_precision", lambda device: torch.float16)
        one = Trainer(PLAN, tiny_cifar.tiny_data())
        assert one.alone and one.size == 1
        assert one.facts["precision"] == "float16"
    one = Trainer(PLAN, tiny_cifar.tiny_data())
    assert not one.alone and one.size == GROUP
    one.alone = True
    runs = [run for run in PLAN.runs(undisturbed) if run.epochs == 2]
    wanted = {run_of(row): row for row in undisturbed}
    for row in one.make_rows(runs):
        other = wanted[run_of(row)]
        assert row.keys() == other.keys()
        assert row["accuracy"] == other["accuracy"]
        assert row["losses"] == pytest.approx(other["losses"], abs=2e-5)
        assert row["lr"] == other["lr"]


def test_rates_are_chosen_on_validation_images_and_judged_on_test_images(undisturbed):
    judged = {(row["experiment"], row["judged_on"]) for row in undisturbed}
    assert judged == {("tuning", "validation"), ("fair", "test")}


def test_rates_are_kept_in_equal_distances():
    assert spread_out(list(range(4800))) == list(range(0, 4800, 100))
    assert spread_out([7]) == [7] * 48


def test_runs_with_an_unknown_horizon_are_judged_along_the_way(tmp_path, tiny):
    two = {"schedulers": ("cosine_annealing_lr", "warmup_stable_decay"), "rates": (0.05,)}
    plan = replace(PLAN, **two, tuning={}, fair={2: 1}, horizon={2: 1}, finals={})
    rows = run(plan, results=tmp_path)
    assert len(rows) == 7
    for row in rows:
        seen = row["evaluations"]
        assert [epoch for epoch, *_ in seen] == ([1, 2] if row["experiment"] == "horizon" else [])
        if seen:
            assert seen[-1][1:] == [row["accuracy"], row["cross_entropy"]]
    by_name = {row["scheduler"]: row for row in rows}
    for planned, fair in [
        ("cosine_planned_right", "cosine_annealing_lr"),
        ("wsd_planned_right", "warmup_stable_decay"),
    ]:  # the same seed and the same schedule: the same run
        assert by_name[planned]["accuracy"] == by_name[fair]["accuracy"]
        assert by_name[planned]["losses"] == by_name[fair]["losses"]
    assert checked(rows, "here")


def test_a_diverged_run_is_a_row(tmp_path, tiny):
    plan = replace(PLAN, rates=(1e6,), tuning={}, fair={1: 1}, finals={})
    rows = run(plan, results=tmp_path)
    assert len(rows) == 3 and checked(rows, "here")
    for row in rows:
        assert row["accuracy"] is None and row["cross_entropy"] is None
        assert row["diverged_at"] == row["steps"] < 30
        assert accuracies([row])[run_of(row)] == CHANCE
    again = json.loads(json.dumps(rows), parse_constant=pytest.fail)  # no NaN: it is not JSON
    assert again == rows


# ---------------------------------------------------------------------- resuming


def test_a_limit_ends_after_that_many_new_runs(tmp_path, tiny, undisturbed, capsys):
    order = [run.name for run in PLAN.runs(undisturbed)]
    assert set(names(run("tiny", results=tmp_path, limit=2))) == set(order[:2])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    capsys.readouterr()
    main(["run", "--plan", "tiny", "--results", str(tmp_path), "--limit", "1"])
    output = capsys.readouterr()
    assert output.out == "3 runs are recorded.\n"
    assert "tiny:" in output.err and f"3/{EPOCHS}" in output.err and "epoch" in output.err
    rows = read_rows(tmp_path)
    assert set(names(rows)) == set(order[:3])
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert all(row in without_times(undisturbed) for row in without_times(rows))


@pytest.mark.parametrize("limit", [4, 8])
def test_a_limit_need_not_be_whole_groups(tmp_path, tiny, undisturbed, limit):
    rows = run("tiny", results=tmp_path, limit=limit)
    assert set(names(rows)) == {run.name for run in PLAN.runs(undisturbed)[:limit]}
    assert all(row in without_times(undisturbed) for row in without_times(rows))


def test_tqdm_disable_keeps_the_bar_away(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    run("tiny", results=tmp_path, limit=1)
    assert capsys.readouterr().err == ""


def test_a_finished_plan_makes_nothing(tmp_path, tiny, undisturbed, monkeypatch, capsys):
    take_in(undisturbed, tmp_path)
    before = content(tmp_path)
    monkeypatch.setattr(Trainer, "make_rows", lambda *args: pytest.fail("made again"))
    assert run(PLAN, results=tmp_path) == undisturbed
    assert content(tmp_path) == before
    assert f"{EPOCHS}/{EPOCHS}" in capsys.readouterr().err


MOMENTS = [
    pytest.param(Together, "__init__", 1, id="before the first step"),
    pytest.param(Together, "look", 45, id="in the middle of training"),
    pytest.param(store, "write_whole", 5, id="while a file is written"),
    pytest.param(store, "read_rows", 5, id="between two groups"),
]


@pytest.mark.parametrize("home, name, call", MOMENTS)
def test_stopped_in_a_notebook_it_goes_on_at_once(
    tmp_path, tiny, undisturbed, monkeypatch, made, request, home, name, call
):
    """A notebook keeps the exception of Stop, with its traceback and all that was in use there."""
    if home is store:  # these moments need no training
        request.getfixturevalue("clock")
    function, calls = getattr(home, name), itertools.count(1)

    def interrupted(*args, **how):
        if next(calls) == call:
            raise KeyboardInterrupt
        return function(*args, **how)

    with monkeypatch.context() as patch:
        patch.setattr(home, name, interrupted)
        try:
            run(PLAN, results=tmp_path)
        except KeyboardInterrupt as error:
            kept = error
    assert kept.__traceback__ is not None
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert len(before) < RUNS and not list(tmp_path.glob("*.tmp"))
    made.clear()
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waits for itself"))
    assert without_times(run(PLAN, results=tmp_path)) == without_times(undisturbed)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    if home is Together:
        assert len(sum(made, [])) == RUNS - len(before), "no finished run was made again"


@pytest.fixture(scope="module")
def processes():
    """Start a process that makes the plan: start(folder, log, ...)."""
    context = multiprocessing.get_context("forkserver")
    # torch imports half of itself at the first optimizer step: once is enough
    context.set_forkserver_preload(["lrcore.cifar", "torch._dynamo"])

    def start(*args):
        process = context.Process(target=make, args=args, daemon=True)
        process.start()
        return process

    return start


def wait_for(condition, process):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.is_alive() and time.monotonic() < end
        time.sleep(0.005)


def test_killed_at_any_moment_it_goes_on(tmp_path, processes, undisturbed):
    folder, log = tmp_path / "results", tmp_path / "log"
    generator = random.Random(0)
    kept = {}

    def made():
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}

    def check():
        """All that was there is there as it was, and all that is there is whole."""
        now = made()
        assert now.items() >= kept.items()
        kept.update(now)
        rows = without_times(read_rows(folder))
        assert all(row in without_times(undisturbed) for row in rows)

    process = processes(folder, log, True)  # this one is killed while it writes
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert made() == {} and len(list(folder.glob("*.tmp"))) == 1
    kills = 1
    for count in (1, 4, 7, 10, 13):
        process = processes(folder, log)
        wait_for(lambda count=count: len(made()) >= count, process)
        time.sleep(generator.uniform(0, 0.3))
        process.kill()
        process.join(PATIENCE)
        kills += process.exitcode == -signal.SIGKILL
        check()
    process = processes(folder, log)
    process.join(PATIENCE)
    assert process.exitcode == 0
    check()
    assert kills >= 4
    assert without_times(read_rows(folder)) == without_times(undisturbed)
    # a kill costs the group in flight at most
    assert len(log.read_text().split()) <= RUNS + GROUP * kills


def test_processes_on_one_folder_share_the_work(tmp_path, processes, undisturbed):
    folder, log = tmp_path / "results", tmp_path / "log"
    started = [processes(folder, log) for _ in range(3)]
    for process in started:
        process.join(PATIENCE)
    assert [process.exitcode for process in started] == [0, 0, 0]
    assert sorted(log.read_text().split()) == sorted(names(undisturbed)), "each run is made once"
    assert without_times(read_rows(folder)) == without_times(undisturbed)


def test_what_another_process_makes_is_waited_for(tmp_path, tiny, undisturbed):
    """A run that another one holds is left to it; once it has given up, the run is free."""
    first, second = PLAN.runs([])[:2]
    locks = claim([first], tmp_path, 1)
    assert claim([first], tmp_path, 1) == {}
    assert names(run(PLAN, results=tmp_path, limit=1)) == [second.name]
    release(locks)
    assert first.name in names(run(PLAN, results=tmp_path, limit=1))


def test_it_waits_while_others_make_all_that_is_left(
    tmp_path, tiny, undisturbed, monkeypatch, made
):
    take_in(undisturbed[:-1], tmp_path)
    locks = claim([run_of(undisturbed[-1])], tmp_path, 1)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 3:  # the other one is ready
            take_in(undisturbed, tmp_path)
            release(locks)

    monkeypatch.setattr(time, "sleep", sleep)
    assert run(PLAN, results=tmp_path) == undisturbed
    assert len(waits) == 3 and made == []


# ---------------------------------------------------------------------- in time, and in one file


class Clock:
    """Stands for `time`; nothing but training takes any: a minute for a run and epoch."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    perf_counter = monotonic

    def sleep(self, seconds):
        pytest.fail("nobody else is there to wait for")


@pytest.fixture
def clock(monkeypatch, tiny, undisturbed):
    """No run is really made: its row is there, and a minute an epoch is over."""
    clock, wanted = Clock(), {run_of(row): row for row in undisturbed}

    def make_rows(trainer, runs):
        clock.now += 60 * sum(run.epochs for run in runs)
        times = {"together": len(runs), "seconds": 60.0 * runs[0].epochs}
        return [wanted[run] | times for run in runs]

    monkeypatch.setattr(comparison, "time", clock)
    monkeypatch.setattr(Trainer, "make_rows", make_rows)
    return clock


# groups of 3 runs of 1 epoch end after 3, 6, 9 and 12 minutes, one of 2 epochs after 18
@pytest.mark.parametrize(
    "minutes, runs",
    [(0.01, 3), (5.9, 3), (6, 6), (8.9, 6), (12, 12), (17.9, 12), (18, 15), (1e9, 15)],
)
def test_it_ends_in_time(tmp_path, clock, undisturbed, minutes, runs):
    """Before what would not be ready; how long that takes is known from the first group on."""
    start = clock.now
    rows = run(PLAN, results=tmp_path / "results", minutes=minutes, out=tmp_path / "out")
    assert set(names(rows)) == {run.name for run in PLAN.runs(undisturbed)[:runs]}
    assert clock.now - start <= max(3, minutes) * 60
    assert {row["seconds"] for row in rows} <= {60, 120}
    assert_balanced(read_lines(tmp_path / "out"))


def assert_balanced(rows):
    """At each budget and rate of an experiment, seeds differ by one at most."""
    made = Counter((r["experiment"], r["epochs"], r["scheduler"], r["peak_lr"]) for r in rows)
    for part in {key[:2] for key in made}:
        counts = [n for key, n in made.items() if key[:2] == part]
        members = len(PLAN.schedulers) * (len(PLAN.rates) if part[0] == "tuning" else 1)
        counts += [0] * (members - len(counts))
        assert max(counts) - min(counts) <= 1


def test_a_plan_that_is_late_makes_nothing(tmp_path, clock, monkeypatch):
    """Time that went by before the first group counts too: the data may have been downloaded."""

    def slow_load(folder):
        clock.now += 120
        return tiny_cifar.tiny_data()

    monkeypatch.setattr(comparison, "load", slow_load)
    assert run(PLAN, results=tmp_path, minutes=1.9) == []
    assert len(run(PLAN, results=tmp_path, minutes=2.1)) == GROUP


def test_the_file_of_all_rows_is_written_anew_after_each_group(tmp_path, tiny, monkeypatch):
    written = []

    def logged(file, rows):
        write_lines(file, rows)
        written.append(len(read_lines(file)))

    monkeypatch.setattr(store, "write_lines", logged)
    run(PLAN, results=tmp_path / "results", out=tmp_path / "out", limit=6)
    assert sorted(set(written)) == [3, 6] and written[-1] == 6
    assert sorted(names(read_lines(tmp_path / "out"))) == names(read_rows(tmp_path / "results"))


@pytest.mark.parametrize("minutes", [3, 9, 12])
def test_it_goes_on_from_the_file_of_all_rows(tmp_path, clock, undisturbed, made, minutes):
    """On another day, when the folder of the machine that was lent is gone."""
    out = tmp_path / "out"
    first = run(PLAN, results=tmp_path / "first", minutes=minutes, out=out)
    assert read_lines(out) == sorted(first, key=run_of)
    assert 0 < len(first) < RUNS
    rows = run(PLAN, results=tmp_path / "second", out=out)
    assert without_times(rows) == without_times(undisturbed)
    assert read_lines(out) == sorted(rows, key=run_of)
    assert len(sum(made, [])) == len(set(sum(made, []))) == RUNS, "no run was made twice"
    assert all(row in rows for row in first), "as they were, with their times"


def test_the_file_of_all_rows_is_there_if_nothing_is_to_be_made(tmp_path, tiny, undisturbed, made):
    """Or if other processes made all of it."""
    take_in(undisturbed, tmp_path / "results")
    run(PLAN, results=tmp_path / "results", out=tmp_path / "out")
    assert made == []
    assert read_lines(tmp_path / "out") == sorted(undisturbed, key=run_of)


def test_an_interrupt_keeps_the_rows_in_the_file(tmp_path, tiny, monkeypatch):
    train, calls = Together.train, itertools.count(1)

    def interrupted(*args, **how):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return train(*args, **how)

    monkeypatch.setattr(Together, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(PLAN, results=tmp_path / "results", out=tmp_path / "out")
    assert len(read_lines(tmp_path / "out")) == 2 * GROUP


def test_minutes_and_out_on_the_command_line(tmp_path, clock, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["run", "--plan", "tiny", "--minutes", "6", "--out", "rows.jsonl"])
    assert capsys.readouterr().out == "6 runs are recorded.\n"
    assert len(read_lines("rows.jsonl")) == 6


# ---------------------------------------------------------------------- what is refused


def refused(error, *words, **arguments):
    """run(**arguments) raises the error with all the words in its message."""
    with pytest.raises(error) as caught:
        run(**arguments)
    missing = [word for word in words if str(word) not in str(caught.value)]
    assert not missing, f"not in the message: {missing}: {caught.value}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (
            {"plan": "smal"},
            ["plan='smal'", "fair, defaults, adamw, transformer, confirmation, small", "cooldowns"],
        ),
        ({"plan": 3}, ["plan=3", "small", "a Plan"]),
        ({"limit": 0}, ["limit=0", "1 or more"]),
        ({"limit": -1}, ["limit=-1", "1 or more"]),
        ({"limit": 1.5}, ["limit=1.5", "whole number"]),
        ({"limit": "3"}, ["limit='3'", "whole number"]),
        ({"minutes": 0}, ["minutes=0", "above 0"]),
        ({"minutes": -1}, ["minutes=-1", "above 0"]),
        ({"minutes": float("nan")}, ["minutes=nan", "above 0"]),
        ({"minutes": "x"}, ["minutes='x'", "a number above 0"]),
        ({"minutes": [1]}, ["minutes=[1]", "a number above 0"]),
        ({"out": "missing/rows.jsonl"}, ["out='missing/rows.jsonl'", "a folder that is there"]),
        ({"out": "."}, ["out='.'", "a file"]),
        ({"out": ""}, ["out=''", "a file"]),
        ({"plan": replace(PLAN, batch_size=11)}, ["batch_size=11", "300", "27 steps", "30"]),
        ({"plan": replace(PLAN, batch_size=301)}, ["batch_size=301", "300", "0 steps", "30"]),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    tmp_path, tiny, monkeypatch, wrong, words
):
    monkeypatch.chdir(tmp_path)
    refused(ValueError, *words, **{"plan": "tiny", "results": tmp_path / "new"} | wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_short_plan_is_refused_by_its_shortest_run(tmp_path, tiny):
    long_enough = replace(PLAN, tuning={2: 1}, fair={2: 1}, finals={}, batch_size=20)
    assert len(run(long_enough, results=tmp_path, limit=1)) == 1


def test_a_file_is_no_folder_for_results(tmp_path, tiny):
    file = tmp_path / "results"
    file.write_text("mine")
    refused(ValueError, f"results={str(file)!r}", "a folder", plan="tiny", results=file)
    assert content(tmp_path) == {file: b"mine"}


@pytest.mark.parametrize("text", ["mine", "[1, 2]\n", "{}\n", "\n"])
def test_a_file_that_holds_no_rows_is_not_written_over(tmp_path, tiny, text):
    out = tmp_path / "out"
    out.write_text(text)
    wanted = {"plan": "tiny", "results": tmp_path / "new", "out": out}
    refused(ValueError, f"line 1 of {out} is not the result of a run", **wanted)
    assert content(tmp_path) == {out: text.encode()} and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", "3", "null", "{}", '{"plan": "tiny"}', "\x00\xff", "renamed", "unfinished"],
)
def test_other_json_files_among_the_results_are_refused(one_run, tiny, text, undisturbed):
    row = undisturbed[0]
    if text == "renamed":
        file = one_run / "fair-constant-1ep-lr0.1-seed999.json"
        text = json.dumps(row)
    elif text == "unfinished":
        file = one_run / f"{names([row])[0]}.json"
        text = json.dumps({name: value for name, value in row.items() if name != "accuracy"})
    else:
        file = one_run / "notes.json"
    file.write_text(text)
    before = content(one_run)
    refused(ValueError, file, "not the result of a run", plan="tiny", results=one_run)
    assert content(one_run) == before


# of the last row of the plan; all the rest of the folder and the machine is as it was
STRANGE = [
    ("plan", "small"),
    ("network", "transformer"),
    ("widths", [8, 8, 16, 32]),
    ("widths", None),
    ("stride", 1),
    ("batch_size", 500),
    ("optimizer", "AdamW"),
    ("optimizer_arguments", {"momentum": 0.9, "nesterov": False, "weight_decay": 5e-4}),
    ("optimizer_arguments", {"momentum": 0.9, "nesterov": True}),
    ("fingerprint", "f" * 64),
    ("arguments", {"factor": 0.3, "patience": 10}),
    ("arguments", {}),
    ("device", "NVIDIA H200"),
    ("threads", 2),
    ("threads", None),
    ("precision", "bfloat16"),
    ("torch", "2.9.0"),
]


@pytest.mark.parametrize("name, value", STRANGE)
def test_results_of_something_else_are_refused(one_run, tiny, undisturbed, name, value):
    file = next(one_run.glob("*.json"))
    file.write_text(json.dumps({**undisturbed[-1], name: value}))
    before = content(one_run)
    words = [f"results={str(one_run)!r}", name, value, undisturbed[-1][name]]
    refused(ValueError, *words, plan="tiny", results=one_run)
    assert content(one_run) == before


@pytest.mark.parametrize("name, value", STRANGE)
def test_a_file_with_rows_of_something_else_is_refused(tmp_path, tiny, undisturbed, name, value):
    out = tmp_path / "out"
    write_lines(out, [undisturbed[0], {**undisturbed[-1], name: value}])
    before = content(tmp_path)
    words = [f"out={str(out)!r}", name, value, undisturbed[-1][name]]
    refused(ValueError, *words, plan="tiny", results=tmp_path / "new", out=out)
    assert content(tmp_path) == before and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("name", [name for name, _ in dict(STRANGE).items()])
def test_a_result_that_does_not_say_how_it_was_made_is_refused(one_run, tiny, undisturbed, name):
    file = next(one_run.glob("*.json"))
    file.write_text(json.dumps({k: v for k, v in undisturbed[-1].items() if k != name}))
    refused(ValueError, name, plan="tiny", results=one_run)


def test_a_scheduler_that_is_not_known_is_refused(tmp_path, tiny, undisturbed):
    for change in ({"scheduler": "mine"}, {"experiment": "mine"}):
        folder = tmp_path / "".join(change)
        take_in([{**undisturbed[-1], **change}], folder)
        refused(ValueError, f"results={str(folder)!r}", "mine", plan="tiny", results=folder)


def test_this_machine_is_asked_for_its_settings(one_run, tiny):
    """With another number of threads sums are rounded otherwise: the runs would not be the same."""
    torch.set_num_threads(2)
    refused(ValueError, "threads 1", "have 2", plan="tiny", results=one_run)


def test_a_plan_whose_data_are_made_takes_no_folder(tmp_path, one_thread):
    wanted = {"plan": "transformer", "results": tmp_path / "new", "data": "sample"}
    refused(ValueError, "data='sample'", "'transformer' makes its own data", **wanted)
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_without_ray_says_what_to_install(tmp_path, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "lrcore.cifar.cluster", raising=False)
    wanted = {"plan": "tiny", "results": tmp_path / "new", "cluster": "local"}
    refused(ImportError, 'pip install "lrcore[cluster]"', **wanted)
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r'needs filelock, tqdm: pip install "lrcore\[cifar\]"'):
        runpy.run_path(lrcore.cifar.__file__)


def test_a_machine_of_a_cluster_needs_few_packages(tmp_path, undisturbed):
    """No notebook, no download, no figures: it imports lrcore.cifar and trains."""
    program = (
        MACHINE_OF_A_CLUSTER
        + """
try:
    import pandas
    raise SystemExit("pandas is there")
except ModuleNotFoundError:
    pass
import lrcore.cifar
import tiny_cifar
from lrcore.cifar import comparison

comparison.load = tiny_cifar.load
lrcore.cifar.run(tiny_cifar.PLAN, results=sys.argv[1])
assert not [name for name in LACKING if name in sys.modules]
"""
    )
    folder = tmp_path / "results"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    subprocess.run(
        [sys.executable, "-c", program, folder],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        check=True,
        timeout=PATIENCE,
    )
    assert without_times(read_rows(folder)) == without_times(undisturbed)


# ---------------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--limit", "0"], ["limit=0"]),
        (["--minutes", "0"], ["minutes=0"]),
        (["--minutes", "nan"], ["minutes=nan"]),
        (["--out", "."], ["out='.'"]),
        (["--out", "missing/rows.jsonl"], ["out='missing/rows.jsonl'"]),
        (["--out", "file/below"], ["out='file/below'"]),
        (["--data", "nowhere"], ["nowhere has no data_batch_1.bin"]),
        (["--results", "file"], ["results='file' is a file"]),
        (["--results", "file/below"], ["file/below"]),
    ],
)
def test_an_error_is_one_line(tmp_path, monkeypatch, tiny, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    if "--data" in arguments:
        monkeypatch.setattr(comparison, "load", data.load)
    with pytest.raises(SystemExit) as caught:
        main(["run", "--plan", "tiny", *arguments])
    message = caught.value.code
    assert message.startswith("error: ") and "\n" not in message
    assert not [word for word in words if word not in message], message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "URL", "http://127.0.0.1:1/nothing")
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(SystemExit) as caught:
        main(["run", "--plan", "small"])
    assert caught.value.code.startswith("error: http://127.0.0.1:1/nothing could not be downloaded")
    assert "\n" not in caught.value.code
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--plan", "smal"],
        ["run", "--plan", "small", "--minutes", "x"],
        ["run", "--plan", "small", "--limit", "x"],
        [],
        ["walk"],
    ],
)
def test_usage_errors(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m lrcore.cifar" in capsys.readouterr().err


def test_help_describes_the_plans(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    shown = capsys.readouterr().out
    assert not [plan.name for plan in PLANS.values() if f"{plan.name}: {plan.about}" not in shown]


def test_the_results_go_to_a_folder_named_after_the_plan(tmp_path, tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["run", "--plan", "tiny", "--limit", "1"])
    assert len(list((tmp_path / "results" / "tiny").glob("*.json"))) == 1


def test_ctrl_c_says_how_to_go_on(tmp_path):
    """The real thing: a process of its own, a plan with its bar, and the signal of Ctrl-C."""
    folder = tmp_path / "results"
    command = [sys.executable, tiny_cifar.__file__, "run", "--plan", "tiny", "--results", folder]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stderr=pipe, stdout=pipe, text=True) as process:
        end = time.monotonic() + PATIENCE
        while not list(folder.glob("*.json")):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and output == ""
    assert "tiny:" in errors and f"/{EPOCHS} [" in errors
    assert errors.endswith("Interrupted. Start it again to go on: finished runs are kept.\n")
    assert "Traceback" not in errors
    assert 1 <= len(read_rows(folder)) < RUNS
    assert not list(folder.glob("*.tmp"))
