"""The runs of a plan on Ray: a real one on this machine, with its workers and its driver killed."""

import contextlib
import functools
import itertools
import signal
import socket
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
import ray
import tiny_cifar
from tiny_cifar import PLAN, without_times

from lrcore.cifar import cluster, comparison
from lrcore.cifar.comparison import Allowance
from lrcore.cifar.plans import run_of
from lrcore.cifar.store import claim, missing, read_rows, release, take_in
from lrcore.cifar.trainer import Trainer

PATIENCE = 240  # seconds, for what takes a few on a machine with nothing else to do


# ---------------------------------------------------------------------- a real cluster


class Driver:
    """The command line with --cluster local: a context, after which nothing of Ray may be left."""

    def __init__(self, results):
        self.command = [sys.executable, tiny_cifar.__file__, "run", "--plan", "long"]
        self.command += ["--cluster", "local", "--results", results]
        self.log = results.parent / "log"

    def __enter__(self):
        self.seen = set()
        self.start()
        return self

    def start(self):
        with open(self.log, "w") as log:
            self.process = psutil.Popen(self.command, stdout=log, stderr=log)

    def __exit__(self, *error):
        if self.process.is_running():
            self.process.kill()
        left = psutil.wait_procs(self.seen, timeout=60)[1]
        for process in left:
            process.kill()
        assert not left, f"still running: {left}"

    def wait_for(self, condition):
        """Wait until it holds, while the driver is running."""
        end = time.monotonic() + PATIENCE
        while not condition():
            # Ray gives itself 30 seconds, too few where much else is going on
            if self.process.poll() == 1 and "timed out during startup" in self.log.read_text():
                self.start()
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            self.seen.update(self.process.children(recursive=True))
            time.sleep(0.2)

    def busy_workers(self):
        """The workers that are making a run: Ray names a process after its task."""
        found = []
        for process in self.process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "ray::on_worker" in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def end(self):
        """Wait for the end, and return the exit status and what the driver wrote."""
        return self.process.wait(PATIENCE), self.log.read_text()


def finished(folder):
    return {path.stem for path in folder.glob("*.json")}


def in_flight(folder):
    return {path.name for path in (folder / ".locks").iterdir()} - finished(folder)


def test_it_survives_the_death_of_a_worker_and_ctrl_c(tmp_path, undisturbed, tiny):
    folder = tmp_path / "results"
    comparison.run(PLAN, results=folder, limit=2)  # Ray goes on from here
    first = finished(folder)
    with Driver(folder) as driver:
        driver.wait_for(driver.busy_workers)
        victim = driver.busy_workers()[0]
        victim.kill()
        hit = in_flight(folder)
        assert hit and not hit & first
        # the very runs that were being made are there in the end, by the same driver
        driver.wait_for(lambda: finished(folder) >= hit)
        assert not victim.is_running()
        # the finals depend on all tuning runs, and take long
        driver.wait_for(lambda: len(finished(folder)) == 12 and in_flight(folder))
        driver.process.send_signal(signal.SIGINT)
        status, log = driver.end()
    assert status == 1 and "tiny:" in log and "Traceback" not in log
    assert log.endswith("Interrupted. Start it again to go on: finished runs are kept.\n")
    # groups on a cluster give the same rows as in this process, in one thread each
    rows = without_times(read_rows(folder))
    assert rows == [
        row for row in without_times(undisturbed) if run_of(row).name in finished(folder)
    ]
    # and what was in flight is free
    left = [run for run in PLAN.runs(undisturbed) if run.epochs == 2]
    assert len(rows) == 12 and len(left) == 3
    left = [run._replace(epochs=40) for run in left]
    claimed = claim(left, folder, 3)
    assert list(claimed) == left
    release(claimed)


# ---------------------------------------------------------------------- the driver alone


class FakeRay:
    """Stands for Ray, with 2 CPUs: a task is made when its result is asked for."""

    exceptions = ray.exceptions

    def __init__(self, connected=False):
        self.connected, self.calls, self.cancelled = connected, [], []
        self.stored, self.groups = {}, []

    def is_initialized(self):
        return self.connected

    def init(self, address, **settings):
        self.calls.append(f"init {address}")

    def shutdown(self):
        self.calls.append("shutdown")

    def put(self, value):
        reference = object()
        self.stored[reference] = value
        return reference

    def cluster_resources(self):
        return {"CPU": 2.0}

    def remote(self, function):
        def remote(plan, runs, data):
            self.groups.append([run.name for run in runs])
            return functools.partial(function, plan, runs, data)

        return SimpleNamespace(options=lambda **settings: SimpleNamespace(remote=remote))

    def wait(self, tasks, timeout):
        assert len(tasks) <= 2
        return tasks[-1:], tasks[:-1]

    def get(self, task):
        return task() if callable(task) else self.stored[task]

    def cancel(self, task, force):
        self.cancelled.append(task)


@pytest.fixture
def fake(monkeypatch, tiny):
    monkeypatch.setattr(cluster, "TRAINERS", {})
    monkeypatch.setattr(cluster, "ray", FakeRay())
    return cluster.ray


def test_a_plan_is_completed(tmp_path, fake, undisturbed):
    rows = comparison.run(PLAN, results=tmp_path / "new" / "folder", cluster="local")
    assert without_times(rows) == without_times(undisturbed)
    assert fake.calls == ["init local", "shutdown"] and fake.cancelled == []
    assert [len(group) for group in fake.groups] == [3] * 5
    assert len({name for group in fake.groups for name in group}) == 15, "each is sent once"
    assert len(fake.stored) == 1, "the data are sent once"


def test_a_worker_makes_one_trainer_for_all_groups_of_a_plan(tmp_path, fake, monkeypatch):
    made, init = [], Trainer.__init__

    def counted(trainer, plan, data):
        made.append(plan)
        init(trainer, plan, data)

    monkeypatch.setattr(Trainer, "__init__", counted)
    other = replace(PLAN, batch_size=5)
    for plan in (PLAN, other, PLAN):
        data = [fake.put(tiny_cifar.tiny_data())]
        for run in PLAN.runs([])[:2]:
            row = cluster.on_worker(plan, [run], data)[0]
            assert row["batch_size"] == plan.batch_size and run_of(row) == run
    assert made == [PLAN, other, PLAN]
    assert len(cluster.TRAINERS) == 1, "the data of another plan are not kept"


@pytest.mark.parametrize("limit", [2, 4, 6])
def test_a_limit_ends_after_that_many_runs(tmp_path, fake, limit):
    rows = comparison.run(PLAN, results=tmp_path, limit=limit, cluster="local")
    wanted = {run.name for run in PLAN.runs([])[:limit]}
    assert finished(tmp_path) == wanted == {run_of(row).name for row in rows}
    assert fake.cancelled == [] and fake.calls[-1] == "shutdown"
    comparison.run(PLAN, results=tmp_path, limit=1)
    assert finished(tmp_path) == {run.name for run in PLAN.runs(rows)[: limit + 1]}


def test_it_ends_in_time(tmp_path, fake, monkeypatch):
    """No more is sent out once it would not be ready; what is on its way is waited for."""
    on_worker, clock = cluster.on_worker, SimpleNamespace(now=0.0)

    def slow(plan, runs, data):
        clock.now += 60 * len(runs)
        return [{**row, "seconds": 60.0} for row in on_worker(plan, runs, data)]

    monkeypatch.setattr(cluster, "on_worker", slow)
    patched = SimpleNamespace(**vars(time) | {"monotonic": lambda: clock.now})
    monkeypatch.setattr(comparison, "time", patched)
    out = tmp_path / "out"
    rows = comparison.run(PLAN, results=tmp_path / "r", cluster="local", minutes=5.9, out=out)
    # two groups are sent at once, ready after 3 and 6 minutes
    assert len(rows) == 6 == len(out.read_text().splitlines()) and clock.now == 360
    assert fake.cancelled == []


def test_rows_of_other_machines_are_welcome(tmp_path, fake, undisturbed):
    """A cluster consists of other machines than this one; of the rest nothing may differ."""
    there = {"device": "NVIDIA H200", "threads": None, "precision": "bfloat16"}
    take_in([{**row, **there} for row in undisturbed[:-1]], tmp_path)
    assert len(comparison.run(PLAN, results=tmp_path, cluster="local")) == 15
    assert fake.groups == [[run_of(undisturbed[-1]).name]]
    take_in([{**undisturbed[0], "widths": [8, 8, 8, 8]}], tmp_path / "others")
    with pytest.raises(ValueError, match="widths"):
        comparison.run(PLAN, results=tmp_path / "others", cluster="local")


@pytest.mark.parametrize("call", [1, 2])
def test_an_interrupted_driver_gives_up_its_runs(tmp_path, fake, monkeypatch, call):
    """With its exception kept, as a notebook does, and so with all that was in use there."""
    wait, calls = fake.wait, itertools.count(1)

    def interrupted(tasks, timeout):
        if next(calls) == call:
            raise KeyboardInterrupt
        return wait(tasks, timeout)

    monkeypatch.setattr(fake, "wait", interrupted)
    try:
        comparison.run(PLAN, results=tmp_path, cluster="local")
    except KeyboardInterrupt as error:
        kept = error
    assert kept.__traceback__ is not None
    assert len(fake.cancelled) == 3 - call and fake.calls[-1] == "shutdown"
    left = missing(PLAN, tmp_path)
    assert len(left) == 6 - 3 * (call - 1)
    claimed = claim(left, tmp_path, 15)
    assert list(claimed) == left
    release(claimed)


def test_a_group_that_fails_gives_up_all_runs(tmp_path, fake, monkeypatch):
    def failed(plan, runs, data):
        raise ray.exceptions.WorkerCrashedError()

    monkeypatch.setattr(cluster, "on_worker", failed)
    with pytest.raises(RuntimeError, match="its worker died 4 times"):
        comparison.run(PLAN, results=tmp_path, cluster="local")
    assert len(fake.cancelled) == 2 and fake.calls[-1] == "shutdown"
    claimed = claim(PLAN.runs([]), tmp_path, 15)
    assert list(claimed) == PLAN.runs([])
    release(claimed)


def test_a_connection_that_is_there_serves_and_stays(tmp_path, fake):
    fake.connected = True
    comparison.run(PLAN, results=tmp_path, limit=1, cluster="local")
    assert fake.calls == []


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1:PORT", "127.0.0.1", "127.0.0.1:99999", "x:y", ""])
def test_an_address_where_nothing_answers_is_refused_soon(tmp_path, tiny, address):
    address = address.replace("PORT", str(unused_port()))
    start = time.monotonic()
    with pytest.raises(ValueError) as caught:
        comparison.run(PLAN, results=tmp_path / "new", cluster=address)
    assert time.monotonic() - start < 30
    words = [f"cluster={address!r}", "no Ray cluster answers", '"local"', '"auto"', "HOST:PORT"]
    assert not [word for word in words if word not in str(caught.value)]
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_auto_without_a_cluster_is_refused(monkeypatch):
    def init(address, **settings):
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ValueError, match="cluster='auto': no Ray cluster answers there"):
        cluster.connect("auto")


@pytest.mark.parametrize(
    "error, words",
    [
        (ray.exceptions.WorkerCrashedError(), "was given up, its worker died 4 times"),
        (
            ray.exceptions.RayTaskError("on_worker", "its traceback", KeyError("widths")),
            r"failed on a worker: KeyError\('widths'\)",
        ),
    ],
)
def test_a_run_that_fails_is_named(monkeypatch, error, words):
    def get(task):
        raise error

    monkeypatch.setattr(ray, "get", get)
    first, second = PLAN.runs([])[:2]
    with pytest.raises(RuntimeError, match=f"run {first.name}, {second.name} {words}"):
        cluster.result_of(None, [first, second])


class Tasks:
    """Stands for ray.remote: keeps what is submitted."""

    def __init__(self):
        self.submitted, self.settings = [], None

    def __call__(self, function):
        assert function is cluster.on_worker
        return self

    def options(self, **settings):
        self.settings = settings
        return self

    def remote(self, plan, runs, data):
        self.submitted.append(runs)
        return len(self.submitted)


# 4 seeds with 6 runs each
MANY = replace(PLAN, tuning={1: 4})


@pytest.mark.parametrize(
    "resources, sizes, settings",
    [
        ({"CPU": 4.0}, [3, 3, 3, 3], {"num_cpus": 1, "num_gpus": 0}),
        ({"CPU": 64.0, "GPU": 2.0}, [6, 6], {"num_cpus": 0, "num_gpus": 1}),
        ({}, [3], {"num_cpus": 1, "num_gpus": 0}),
        ({"CPU": 64.0}, 8 * [3], {"num_cpus": 1, "num_gpus": 0}),  # all that can be made at first
    ],
)
def test_a_cluster_is_filled_but_no_more(tmp_path, monkeypatch, resources, sizes, settings):
    tasks, flying = Tasks(), {}
    monkeypatch.setattr(
        cluster, "ray", SimpleNamespace(cluster_resources=lambda: resources, remote=tasks)
    )
    runs, allowance = MANY.runs([]), Allowance()
    for _ in range(2):  # the second time there is nothing to add
        cluster.submit_all(runs, MANY, tmp_path, None, allowance, flying)
        assert [len(group) for group in tasks.submitted] == sizes
    assert sum(tasks.submitted, []) == runs[: sum(sizes)], "in order"
    for group in tasks.submitted:
        assert len({run.seed for run in group}) == 1, "those of one seed together"
    assert tasks.settings == settings | {"max_retries": 3}
    assert [list(claimed) for claimed in flying.values()] == tasks.submitted
    for claimed in flying.values():
        assert claim(list(claimed), tmp_path, 100) == {}, "they are claimed"
        release(claimed)
        again = claim(list(claimed), tmp_path, 100)
        assert list(again) == list(claimed)
        release(again)


def test_nothing_more_is_sent_than_is_allowed(tmp_path, monkeypatch):
    tasks, flying = Tasks(), {}
    monkeypatch.setattr(
        cluster, "ray", SimpleNamespace(cluster_resources=lambda: {"CPU": 64.0}, remote=tasks)
    )
    allowance = Allowance(limit=4)
    more = cluster.submit_all(MANY.runs([]), MANY, tmp_path, None, allowance, flying)
    assert not more and [len(group) for group in tasks.submitted] == [3, 1]
    assert not cluster.submit_all([], MANY, tmp_path, None, Allowance(), {})
    for claimed in flying.values():
        release(claimed)
