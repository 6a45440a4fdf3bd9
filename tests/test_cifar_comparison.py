"""Making the runs of a plan: all of them, each once, whatever happens; and the command line."""

import json
import multiprocessing
import os
import random
import runpy
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import jsonschema
import pytest
import torch
from packaging.requirements import Requirement
from tiny_cifar import PLAN, make, tiny_data, without_times

import lrcore.cifar
from lrcore.cifar import PLANS, comparison, data
from lrcore.cifar.__main__ import main
from lrcore.cifar.comparison import read_rows, run, spread_out, write_whole
from lrcore.cifar.plans import Run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RUNS = 18
PATIENCE = 200  # seconds, for what takes a few on a machine with nothing else to do
EPOCHS = 6 * 1 + 3 * 2 * 1 + 3 * 2 + 3 * 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The rows of the plan, made in one go."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "load", lambda folder: tiny_data())
        rows = run(PLAN, results=tmp_path_factory.mktemp("undisturbed") / "new" / "folder")
    torch.set_num_threads(threads)
    return rows


@pytest.fixture
def tiny(monkeypatch, one_thread):
    """The plan "tiny" and its data, on the command line too."""
    monkeypatch.setattr(comparison, "load", lambda folder: tiny_data())
    monkeypatch.setitem(PLANS, "tiny", PLAN)


@pytest.fixture
def one_run(tmp_path, undisturbed):
    """A folder with the first result of the plan."""
    folder = tmp_path / "results"
    folder.mkdir()
    row = undisturbed[-1]
    name = Run(*(row[field] for field in Run._fields)).name
    (folder / f"{name}.json").write_text(json.dumps(row))
    return folder


def names(rows):
    return [Run(*(row[field] for field in Run._fields)).name for row in rows]


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------- rows


def test_all_runs_are_made_and_fit_the_schema(undisturbed, root):
    schema = json.loads((root / "lrcore/cifar/recorded/schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    assert not [error.message for row in undisturbed for error in validator.iter_errors(row)]
    assert sorted(names(undisturbed)) == sorted(run.name for run in PLAN.runs(undisturbed))
    assert len(undisturbed) == RUNS
    assert sum(row["epochs"] for row in undisturbed) == EPOCHS == PLAN.all_epochs


def test_a_row_has_all_that_is_needed_to_repeat_it(undisturbed, one_thread):
    row = next(r for r in undisturbed if r["epochs"] == 2 and r["scheduler"] != "constant")
    scheduler = getattr(torch.optim.lr_scheduler, row["made_by"])
    outcome = comparison.train(
        tiny_data(),
        lambda optimizer: scheduler(optimizer, **row["arguments"]),
        widths=row["widths"],
        stride=row["stride"],
        epochs=row["epochs"],
        batch_size=row["batch_size"],
        lr=row["peak_lr"],
        seed=row["seed"],
        every=row["scheduler_every"],
        judge_on=row["judged_on"],
        precision=getattr(torch, row["precision"]),
    )
    assert outcome.accuracy == row["accuracy"]
    assert outcome.cross_entropy == row["cross_entropy"]
    assert row["losses"] == [round(loss, 5) for loss in outcome.losses]
    assert row["lr"] == [float(f"{rate:.4g}") for rate in spread_out(outcome.lr)]
    assert row["steps"] == len(outcome.lr) == 60
    assert row["device"].startswith("CPU") and row["threads"] == 1
    assert row["fingerprint"] == tiny_data().fingerprint


def test_rates_are_chosen_on_validation_images_and_judged_on_test_images(undisturbed):
    judged = {(row["experiment"], row["judged_on"]) for row in undisturbed}
    assert judged == {("tuning", "validation"), ("fair", "test")}


def test_rates_are_kept_in_equal_distances():
    assert spread_out(list(range(4800))) == list(range(0, 4800, 100))
    assert spread_out([7]) == [7] * 48


def test_a_diverged_run_is_a_row(tmp_path, tiny):
    plan = replace(PLAN, rates=(1e6,), tuning={}, fair={1: 1}, finals={})
    rows = run(plan, results=tmp_path)
    assert len(rows) == 3
    for row in rows:
        assert row["accuracy"] is None and row["cross_entropy"] is None
        assert row["diverged_at"] == row["steps"] < 30
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
    wanted = [row for row in undisturbed if row["experiment"] == "tuning"][:6]
    assert all(row in without_times(wanted) for row in without_times(rows))


def test_a_finished_plan_makes_nothing(tmp_path, tiny, undisturbed, monkeypatch, capsys):
    for name, row in zip(names(undisturbed), undisturbed, strict=True):
        (tmp_path / f"{name}.json").write_text(json.dumps(row))
    before = content(tmp_path)
    monkeypatch.setattr(comparison, "make_row", lambda *args: pytest.fail("made again"))
    assert run(PLAN, results=tmp_path) == undisturbed
    assert content(tmp_path) == before
    assert f"{EPOCHS}/{EPOCHS}" in capsys.readouterr().err


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def full(handle):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(tmp_path / "row.json", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_read_again_once_it_has_changed(one_run, undisturbed):
    file = next(one_run.glob("*.json"))
    assert read_rows(one_run) == [undisturbed[-1]]
    file.write_text(json.dumps({**undisturbed[-1], "accuracy": 99.0}))
    os.utime(file, ns=(1, 1))
    assert read_rows(one_run)[0]["accuracy"] == 99.0


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
    for count in (1, 4, 6, 9, 12):
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
    assert len(log.read_text().split()) <= RUNS + kills, "a kill costs the run in flight at most"


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
    first = PLAN.runs([])[0]
    lock = comparison.claim([first], tmp_path)[1]
    assert comparison.claim([first], tmp_path) is None
    rows = run(PLAN, results=tmp_path, limit=1)
    assert names(rows) == [PLAN.runs([])[1].name]
    lock.release()
    assert first.name in names(run(PLAN, results=tmp_path, limit=1))


def test_a_claim_looks_again(tmp_path, one_run, undisturbed):
    """Between looking and claiming another process may have made the run."""
    made = Run(*(undisturbed[-1][field] for field in Run._fields))
    assert comparison.claim([made], one_run) is None


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
        ({"plan": "smal"}, ["plan='smal'", "defaults, fair, small, demo"]),
        ({"plan": 3}, ["plan=3", "small", "a Plan"]),
        ({"limit": 0}, ["limit=0", "1 or more"]),
        ({"limit": -1}, ["limit=-1", "1 or more"]),
        ({"limit": 1.5}, ["limit=1.5", "whole number"]),
        ({"limit": "3"}, ["limit='3'", "whole number"]),
        ({"plan": replace(PLAN, batch_size=11)}, ["batch_size=11", "300", "27 steps", "30"]),
        ({"plan": replace(PLAN, batch_size=301)}, ["batch_size=301", "300", "0 steps", "30"]),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, tiny, wrong, words):
    refused(ValueError, *words, **{"plan": "tiny", "results": tmp_path / "new"} | wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_short_plan_is_refused_by_its_shortest_run(tmp_path, tiny):
    long_enough = replace(PLAN, tuning={2: 1}, fair={2: 1}, batch_size=20)
    assert len(run(long_enough, results=tmp_path, limit=1)) == 1


def test_a_file_is_no_folder_for_results(tmp_path, tiny):
    file = tmp_path / "results"
    file.write_text("mine")
    refused(ValueError, f"results={str(file)!r}", "a folder", plan="tiny", results=file)
    assert file.read_text() == "mine"


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


@pytest.mark.parametrize(
    "name, value",
    [
        ("plan", "small"),
        ("widths", [8, 8, 16, 32]),
        ("stride", 1),
        ("batch_size", 500),
        ("fingerprint", "f" * 64),
    ],
)
def test_results_of_something_else_are_refused(one_run, tiny, undisturbed, name, value):
    file = next(one_run.glob("*.json"))
    file.write_text(json.dumps({**undisturbed[-1], name: value}))
    before = content(one_run)
    words = [f"results={str(one_run)!r}", name, value, undisturbed[-1][name]]
    refused(ValueError, *words, plan="tiny", results=one_run)
    assert content(one_run) == before


def test_a_cluster_without_ray_says_what_to_install(tmp_path, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "lrcore.cifar.cluster", raising=False)
    wanted = {"plan": "tiny", "results": tmp_path / "new", "cluster": "local"}
    refused(ImportError, 'pip install "lrcore[cluster]"', **wanted)
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r'needs pooch, scipy: pip install "lrcore\[cifar\]"'):
        runpy.run_path(lrcore.cifar.__file__)


def test_no_needed_package_is_forgotten(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extra = {Requirement(text).name for text in project["optional-dependencies"]["cifar"]}
    assert extra == {"Pillow" if name == "PIL" else name for name in lrcore.cifar.NEEDED}


# ---------------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--limit", "0"], ["limit=0"]),
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
    monkeypatch.setattr(data.pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(SystemExit) as caught:
        main(["run", "--plan", "small"])
    assert caught.value.code.startswith("error: http://127.0.0.1:1/nothing could not be downloaded")
    assert "\n" not in caught.value.code
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("arguments", [["run"], ["run", "--plan", "smal"], [], ["walk"]])
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
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from tiny_cifar import PLAN, tiny_data
            from lrcore.cifar import PLANS, __main__, comparison

            comparison.load = lambda folder: tiny_data()
            PLANS["tiny"] = PLAN
            __main__.main()
            """
        )
    )
    folder = tmp_path / "results"
    command = [sys.executable, script, "run", "--plan", "tiny", "--results", folder]
    environment = os.environ | {"PYTHONPATH": os.path.dirname(__file__)}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
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
