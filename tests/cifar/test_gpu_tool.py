"""The tool for a short lease of a GPU: rehearsed on a machine that has but what training needs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import gpu
import pytest
import torch
from tiny_cifar import MACHINE_OF_A_CLUSTER

from lrcore.cifar import PLANS, together
from lrcore.cifar.results import checked
from lrcore.cifar.store import read_lines

PATIENCE = 400  # seconds, for what takes half a minute on a machine with nothing else to do
END = "==== the end of a call ===="

# The rehearsal with a fifth of the sample and a tenth of the sequences, in batches so much smaller
# that a run still has 36 steps, with five of all schedulers, and with a network that takes no time
# where ResNet-18 is measured: the whole takes minutes on two cores that are busy.
SMALLER = """
import sys
from dataclasses import replace

import bench_cifar
import gpu
from lrcore.cifar import data, networks, recall

read_sample = data._read_sample
data._read_sample = lambda: [records[::5].copy() for records in read_sample()]
recall.SIZES = (4_500, 100, 100)
bench_cifar.resnet18 = lambda: networks.network((2, 2, 2, 4), 2)
bench_cifar.PRODUCTS = {"cpu": (128, 1)}
for name, plan in gpu.DRY_PLANS.items():
    if name != "transformer":
        gpu.DRY_PLANS[name] = replace(plan, batch_size=25)
few = "constant reduce_lr_on_plateau cosine_annealing_lr cyclic_momentum warmup_stable_decay"
gpu.DRY_PLANS["fair"] = replace(
    gpu.DRY_PLANS["fair"], schedulers=tuple(few.split()), fair={1: 1}, horizon={1: 1}
)
"""


def rehearse(*calls):
    """Run the tool with the packages of a machine of a cluster; return what each call shows."""
    program = [MACHINE_OF_A_CLUSTER + SMALLER]
    for arguments in calls:  # in one process: most of a call's time is the start of PyTorch
        program.append(f"sys.argv[1:] = {[*map(str, arguments)]}\ngpu.main()\nprint({END!r})")
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1] / "tools"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "TQDM_DISABLE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(END)[:-1]


def test_a_rehearsal_writes_files_that_could_be_recorded(tmp_path):
    """Both calls, as they are made on the lease: the second goes on from what the first wrote."""
    speed = tmp_path / "new" / "speed.json"
    probe = ["probe", "--dry", "--out", tmp_path / "new"]
    run = ["run", "--dry", "--speed", speed, "--out", tmp_path / "new"]
    probed, shown = rehearse(probe, run)
    for text in (probed, shown):
        assert "FAILED" not in text and "no time left" not in text, text
    rows = json.loads(speed.read_text())
    assert len(rows) == 6 and len({row["what"] for row in rows}) == 5
    assert all(row["device"].startswith("CPU") and row["torch"] for row in rows)
    for row in rows[1:]:
        assert row["seconds_a_run_epoch"] > 0
    assert rows[0]["first_losses_differ_by"] < 1e-5, "together they are what each is alone"
    choice = gpu.fastest_good_enough(rows)
    assert f"choice: {json.dumps(choice)}" in probed and choice["widths"] == [2, 2, 2, 4]

    for name in gpu.ORDER:
        file = tmp_path / "new" / f"{name}.jsonl"
        rows = checked(read_lines(file), file)
        plan = gpu.DRY_PLANS[name]
        epochs = sum(row["epochs"] for row in rows)
        assert {row["plan"] for row in rows} == {name}
        assert {row["network"] for row in rows} == {plan.network}
        assert {row["threads"] for row in rows} == {1}
        assert f"{name}: {len(rows)} runs, {epochs} of {epochs} epochs" in shown


def test_it_is_a_program_and_says_what_it_needs(root):
    tool = [sys.executable, str(root / "tools" / "gpu.py")]
    done = subprocess.run([*tool, "walk"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2 and "usage: gpu.py" in done.stderr
    assert "probe" in done.stderr and "--out" in done.stderr


def test_each_plan_is_rehearsed():
    """With the network, the optimizer and the schedulers of the real one; only all is smaller."""
    assert sorted(gpu.DRY_PLANS) == sorted(gpu.ORDER)
    assert set(gpu.ORDER) == set(PLANS) - {"small", "cooldowns", "demo"}  # these are for CPUs
    for name, dry in gpu.DRY_PLANS.items():
        plan = PLANS[name]
        assert (dry.name, dry.network, dry.optimizer) == (name, plan.network, plan.optimizer)
        assert set(dry.schedulers) <= set(plan.schedulers)
        for part in ("defaults", "fair", "horizon"):
            assert bool(getattr(dry, part)) == bool(getattr(plan, part))
        assert dry.all_epochs < plan.all_epochs / 10


# ---------------------------------------------------------------------- what is measured


@pytest.fixture
def table(tmp_path):
    return gpu.Table(tmp_path / "speed.json", torch.device("cpu"), end=float("inf"))


def measured(**row):
    def measure():
        return row

    return measure


def failing():
    raise RuntimeError("out of memory")


def test_a_measurement_that_fails_costs_no_other(table, capsys):
    table.attempt(measured(what="first"))
    table.attempt(failing)
    table.attempt(measured(what="last"))
    assert [row["what"] for row in table.rows] == ["first", "last"]
    shown = capsys.readouterr().out
    assert "FAILED failing" in shown and "out of memory" in shown
    assert json.loads(table.file.read_text()) == table.rows


def test_what_is_measured_is_in_the_file_at_once(table):
    """The call may be cut off at any moment."""
    for count, what in enumerate(["a", "b", "c"], 1):
        table.attempt(measured(what=what))
        assert len(json.loads(table.file.read_text())) == count


def test_nothing_is_measured_once_the_time_is_over(table, capsys):
    table.attempt(measured(what="first"))
    table.end = 0
    table.attempt(failing)
    assert len(table.rows) == 1
    assert capsys.readouterr().out.endswith("no time left for failing\n")


# ---------------------------------------------------------------------- what is chosen


def speed(widths, seconds, accuracy, stride=2, streams=8):
    return {
        "widths": list(widths),
        "stride": stride,
        "streams": streams,
        "seconds_a_run_epoch": seconds,
        "best_accuracy_after_4_epochs": accuracy,
    }


SMALL, LARGE, SLOW = (16, 32, 64, 128), (24, 64, 128, 256), (32, 64, 128, 256)


@pytest.mark.parametrize(
    "rows, wanted",
    [
        # the most accurate of those that are fast enough
        ([speed(SMALL, 0.01, 70), speed(LARGE, 0.02, 80), speed(SLOW, 0.04, 90)], 1),
        ([speed(SMALL, 0.01, 70), speed(LARGE, gpu.ALLOWED, 80)], 1),
        ([speed(SMALL, 0.01, 80), speed(LARGE, 0.02, 70)], 0),
        # another stride is another network
        ([speed(SMALL, 0.01, 70), speed(SMALL, 0.02, 80, stride=1)], 1),
        ([speed(SMALL, 0.01, 70, stride=1), speed(SMALL, 0.02, 80)], 1),
        # with the streams that are best for it: the accuracy of one network is a matter of chance
        ([speed(LARGE, 0.02, 80), speed(LARGE, 0.01, 79, streams=23), speed(SMALL, 0.005, 70)], 1),
        ([speed(LARGE, 0.02, 80), speed(LARGE, 0.04, 81, streams=1)], 0),
        # none is fast enough: the fastest
        ([speed(SMALL, 0.05, 70), speed(LARGE, 0.06, 80)], 0),
        # the full network is measured to be compared with, and never chosen
        ([speed(gpu.FULL[0], 0.001, 99, stride=1), speed(SMALL, 0.05, 70)], 1),
        # other measurements are no candidates
        ([{"widths": SMALL, "stride": 2, "seconds_a_run_epoch": 0.0}, speed(SMALL, 0.05, 70)], 1),
    ],
)
def test_the_network_is_the_most_accurate_one_that_is_fast_enough(rows, wanted):
    assert gpu.fastest_good_enough(rows) is rows[wanted]
    from_file = json.loads(json.dumps(rows))
    assert gpu.fastest_good_enough(from_file) == from_file[wanted]


def test_nothing_measured_nothing_chosen():
    assert gpu.fastest_good_enough([]) is None
    assert gpu.fastest_good_enough([{"what": "its arithmetic alone"}]) is None


# ---------------------------------------------------------------------- what is made


@pytest.fixture
def lease(tmp_path, monkeypatch):
    """The options of a call of run; what it sets is set back afterwards."""
    monkeypatch.setattr(together, "STREAMS", together.STREAMS)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
    file = tmp_path / "speed.json"
    choice = {**speed((4, 8, 16, 32), 0.01, 70, stride=1, streams=5), "cudnn_benchmark": True}
    file.write_text(json.dumps([choice]))
    return SimpleNamespace(speed=file, out=tmp_path, minutes=8, dry=False, data="pictures")


@pytest.fixture
def calls(monkeypatch):
    """What would be run: (plan, data, out)."""
    made = []

    def run(plan, data, results, minutes, out):
        assert Path(results).is_dir() and 0 < minutes <= 8
        made.append((plan, data, out))
        return []

    monkeypatch.setattr(gpu, "run", run)
    return made


def test_the_plans_are_made_in_order_with_what_was_chosen(lease, calls):
    gpu.run_plans(lease)
    assert [plan.name for plan, _, _ in calls] == gpu.ORDER
    assert together.STREAMS == 5 and torch.backends.cudnn.benchmark is True
    for plan, data, out in calls:
        chosen = plan.name in ("fair", "adamw", "defaults")
        widths, stride = ((4, 8, 16, 32), 1) if chosen else (None, None)
        assert plan.widths == (widths or PLANS[plan.name].widths)
        assert plan.stride == (stride or PLANS[plan.name].stride)
        assert data == (None if plan.network == "transformer" else "pictures")
        assert out == lease.out / f"{plan.name}.jsonl"


def test_a_plan_that_fails_costs_no_other(lease, calls, monkeypatch, capsys):
    run = gpu.run

    def failing(plan, *args, **how):
        if plan.name in ("transformer", "fair"):
            raise RuntimeError("out of memory")
        return run(plan, *args, **how)

    monkeypatch.setattr(gpu, "run", failing)
    gpu.run_plans(lease)
    assert [plan.name for plan, _, _ in calls] == ["adamw", "defaults", "confirmation"]
    shown = capsys.readouterr().out
    assert "FAILED transformer" in shown and "FAILED fair" in shown and "out of memory" in shown


def test_once_the_time_is_over_no_plan_is_begun(lease, calls, monkeypatch, capsys):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(gpu, "time", SimpleNamespace(monotonic=lambda: clock.now))
    run = gpu.run

    def slow(plan, *args, **how):
        clock.now += 250
        return run(plan, *args, **how)

    monkeypatch.setattr(gpu, "run", slow)
    gpu.run_plans(lease)
    assert [plan.name for plan, _, _ in calls] == gpu.ORDER[:2]
    shown = capsys.readouterr().out
    assert [name for name in gpu.ORDER if f"no time left for {name}" in shown] == gpu.ORDER[2:]
