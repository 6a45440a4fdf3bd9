"""A folder of results: a run is claimed by one, a file is whole or not there, a wrong one named."""

import json
import multiprocessing
import os
import signal
import time

import pytest

from lrcore.cifar.plans import Plan, Run
from lrcore.cifar.store import (
    claim,
    missing,
    read_lines,
    read_rows,
    release,
    result_file,
    take_in,
    write_lines,
    write_row,
)
from lrcore.files import write_whole

# two seeds of six runs each, then a judged run of each scheduler
PLAN = Plan(
    "store",
    "for these tests",
    schedulers=("constant", "step_lr", "linear_lr"),
    rates=(0.1, 0.2),
    tuning={1: 2},
    fair={1: 1},
)
RUNS = PLAN.runs([])
PATIENCE = 60  # seconds, for what takes none on a machine with nothing else to do


def row(run, accuracy=50.0):
    return {**run._asdict(), "accuracy": accuracy}


@pytest.fixture
def claimed():
    """Claims that are given back at the end of the test."""
    kept = []
    yield kept
    for locks in kept:
        release(locks)


# ---------------------------------------------------------------------- claiming


def test_what_is_claimed_together_has_one_seed_and_comes_in_order(tmp_path, claimed):
    claimed.append(claim(RUNS, tmp_path, 4))
    assert list(claimed[-1]) == RUNS[:4]
    claimed.append(claim(RUNS, tmp_path, 4))
    assert list(claimed[-1]) == RUNS[4:6], "the next ones have another seed"
    claimed.append(claim(RUNS, tmp_path, 100))
    assert list(claimed[-1]) == RUNS[6:]
    assert claim(RUNS, tmp_path, 4) == {}


@pytest.mark.parametrize("other", [{"experiment": "fair"}, {"epochs": 2}, {"seed": 201}])
def test_runs_that_cannot_be_trained_together_are_not_claimed_together(tmp_path, claimed, other):
    runs = [RUNS[0], RUNS[1]._replace(**other), RUNS[2]]
    claimed.append(claim(runs, tmp_path, 3))
    assert list(claimed[0]) == [RUNS[0], RUNS[2]]


def test_a_claim_is_free_again_once_it_is_released(tmp_path, claimed):
    first = claim(RUNS, tmp_path, 2)
    claimed.append(claim(RUNS[:3], tmp_path, 2))
    assert list(claimed[-1]) == [RUNS[2]]
    release(first)
    claimed.append(claim(RUNS[:3], tmp_path, 2))
    assert list(claimed[-1]) == RUNS[:2]


def test_a_lock_is_given_back_however_often_it_was_acquired(tmp_path, claimed):
    first = claim(RUNS, tmp_path, 1)
    first[RUNS[0]].acquire()
    release(first)
    claimed.append(claim(RUNS, tmp_path, 1))
    assert list(claimed[0]) == RUNS[:1]


def test_to_release_twice_does_no_harm(tmp_path, claimed):
    first = claim(RUNS, tmp_path, 1)
    release(first)
    claimed.append(claim(RUNS, tmp_path, 1))
    release(first)
    assert claim(RUNS[:1], tmp_path, 1) == {}, "it is another's now"


def test_a_claim_looks_again(tmp_path, claimed):
    """Between looking and claiming another process may have made the run."""
    write_row(tmp_path, RUNS[0], row(RUNS[0]))
    assert claim(RUNS[:1], tmp_path, 1) == {}
    assert claim(RUNS[:1], tmp_path, 1) == {}
    claimed.append(claim(RUNS, tmp_path, 2))
    assert list(claimed[0]) == RUNS[1:3]
    result_file(tmp_path, RUNS[0]).unlink()
    claimed.append(claim(RUNS, tmp_path, 1))
    assert list(claimed[1]) == RUNS[:1], "the lock of the one that was there was not kept"


def test_an_interrupt_while_claiming_gives_the_locks_back(tmp_path, claimed, monkeypatch):
    def interrupt(folder, run):
        if run == RUNS[2]:
            raise KeyboardInterrupt
        return result_file(folder, run)

    monkeypatch.setattr("lrcore.cifar.store.result_file", interrupt)
    with pytest.raises(KeyboardInterrupt) as kept:  # a notebook keeps the traceback, as here
        claim(RUNS, tmp_path, 4)
    monkeypatch.undo()
    claimed.append(claim(RUNS, tmp_path, 4))
    assert list(claimed[0]) == RUNS[:4] and kept.tb


def test_claims_are_no_results(tmp_path, claimed):
    folder = tmp_path / "new" / "folder"
    claimed.append(claim(RUNS, folder, 3))
    assert read_rows(folder) == []
    assert missing(PLAN, folder) == RUNS


def claim_and_wait(folder, pipe):
    locks = claim(RUNS, folder, 2)
    pipe.send([run.name for run in locks])
    time.sleep(PATIENCE)


@pytest.fixture(scope="module")
def context():
    context = multiprocessing.get_context("forkserver")
    # torch imports half of itself at the first optimizer step: once is enough
    context.set_forkserver_preload(["lrcore.cifar", "torch._dynamo"])
    return context


def test_what_a_killed_process_had_claimed_is_free(tmp_path, claimed, context):
    here, there = context.Pipe()
    process = context.Process(target=claim_and_wait, args=(tmp_path, there), daemon=True)
    process.start()
    assert here.poll(PATIENCE)
    assert here.recv() == [run.name for run in RUNS[:2]]
    claimed.append(claim(RUNS[:3], tmp_path, 3))
    assert list(claimed[0]) == [RUNS[2]]
    process.kill()
    process.join(PATIENCE)
    claimed.append(claim(RUNS[:3], tmp_path, 3))
    assert list(claimed[1]) == RUNS[:2]


# ---------------------------------------------------------------------- one file a run


def test_missing_is_the_plan_without_what_is_there(tmp_path):
    for run in RUNS[::2]:
        write_row(tmp_path, run, row(run))
    assert missing(PLAN, tmp_path) == RUNS[1::2]
    for run in RUNS:
        write_row(tmp_path, run, row(run))
    assert [run.experiment for run in missing(PLAN, tmp_path)] == ["fair"] * 3


def test_rows_come_as_they_were_written_sorted_by_file_name(tmp_path):
    rows = [row(run, accuracy) for accuracy, run in enumerate(RUNS)]
    for one in rows:
        write_row(tmp_path, Run(*list(one.values())[:5]), one)
    assert read_rows(tmp_path) == sorted(rows, key=lambda one: Run(*list(one.values())[:5]).name)


def test_a_folder_that_is_not_there_has_no_rows(tmp_path):
    assert read_rows(tmp_path / "nowhere") == []


def test_a_file_is_read_again_once_it_has_changed(tmp_path):
    write_row(tmp_path, RUNS[0], row(RUNS[0], 1.0))
    assert read_rows(tmp_path) == [row(RUNS[0], 1.0)]
    file = result_file(tmp_path, RUNS[0])
    file.write_text(json.dumps(row(RUNS[0], 99.0)))
    os.utime(file, ns=(1, 1))
    assert read_rows(tmp_path) == [row(RUNS[0], 99.0)]


def test_who_changes_a_row_changes_it_for_himself(tmp_path):
    """Rows are kept in memory: reading a thousand files after each group would cost minutes."""
    write_row(tmp_path, RUNS[0], row(RUNS[0]))
    read_rows(tmp_path)[0]["accuracy"] = None
    assert read_rows(tmp_path) == [row(RUNS[0])]


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", "3", "null", "{}", '{"plan": "tiny"}', "\x00\xff"]
)
def test_another_json_file_is_named(tmp_path, text):
    file = tmp_path / "notes.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="not the result of a run with that name") as caught:
        read_rows(tmp_path)
    assert str(file) in str(caught.value)


def test_a_result_under_another_name_and_one_without_its_accuracy_are_named(tmp_path):
    for run, content in [(RUNS[0], row(RUNS[1])), (RUNS[0], RUNS[0]._asdict())]:
        write_row(tmp_path, run, content)
        with pytest.raises(ValueError, match=run.name):
            read_rows(tmp_path)


# ---------------------------------------------------------------------- whole or not at all


def full(handle):
    raise OSError("no space left")


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(tmp_path / "row.json", "text")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_what_was_there(tmp_path, monkeypatch):
    file = tmp_path / "rows.jsonl"
    write_lines(file, [row(RUNS[0])])
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_lines(file, [row(run) for run in RUNS])
    assert read_lines(file) == [row(RUNS[0])]
    assert list(tmp_path.iterdir()) == [file]


def die(handle):
    os.kill(os.getpid(), signal.SIGKILL)


def write_and_die(folder):
    os.fsync = die
    write_row(folder, RUNS[0], row(RUNS[0]))


def test_a_killed_writer_leaves_no_half_result(tmp_path, claimed, context):
    process = context.Process(target=write_and_die, args=(tmp_path,), daemon=True)
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1, "it was killed while it wrote"
    assert read_rows(tmp_path) == [] and missing(PLAN, tmp_path) == RUNS
    claimed.append(claim(RUNS, tmp_path, 1))
    assert list(claimed[0]) == RUNS[:1]


# ---------------------------------------------------------------------- many rows in one file


def test_lines_are_in_a_fixed_order_whatever_was_made_first(tmp_path):
    rows = [row(run) for run in RUNS]
    for name, order in [("a", rows), ("b", rows[::-1]), ("c", rows[5:] + rows[:5])]:
        write_lines(tmp_path / name, order)
    assert len({(tmp_path / name).read_bytes() for name in "abc"}) == 1
    assert read_lines(tmp_path / "a") == sorted(rows, key=lambda one: list(one.values())[:5])
    assert len((tmp_path / "a").read_text().splitlines()) == len(rows)


def test_no_rows_make_an_empty_file(tmp_path):
    write_lines(tmp_path / "rows.jsonl", [])
    assert (tmp_path / "rows.jsonl").read_bytes() == b""
    assert read_lines(tmp_path / "rows.jsonl") == []


NO_ACCURACY = json.dumps(RUNS[3]._asdict())
NO_ROWS = ["", "{", "[1, 2]", "3", "null", "{}", '{"experiment": "fair"}', NO_ACCURACY, "\xff"]


@pytest.mark.parametrize("line", NO_ROWS)
def test_a_line_that_is_no_row_is_named_by_its_number(tmp_path, line):
    file = tmp_path / "rows.jsonl"
    write_lines(file, [row(run) for run in RUNS[:3]])
    lines = file.read_text().splitlines()
    text = "\n".join([*lines[:2], line, *lines[2:]]) + "\n"
    file.write_bytes(text.encode("latin-1"))  # in which the last line is no UTF-8
    with pytest.raises(ValueError) as caught:
        read_lines(file)
    assert str(caught.value) == f"line 3 of {file} is not the result of a run"


def test_rows_that_are_taken_in_are_results(tmp_path):
    folder = tmp_path / "new" / "folder"
    take_in([row(run) for run in RUNS[:3]], folder)
    assert missing(PLAN, folder) == RUNS[3:]


def test_what_is_taken_in_never_replaces_what_is_there(tmp_path):
    write_row(tmp_path, RUNS[0], row(RUNS[0], 11.0))
    file = result_file(tmp_path, RUNS[0])
    before = file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino
    take_in([row(RUNS[0], 77.0), row(RUNS[1], 22.0)], tmp_path)
    assert (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) == before
    assert sorted(one["accuracy"] for one in read_rows(tmp_path)) == [11.0, 22.0]
