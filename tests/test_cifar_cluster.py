"""The runs of a plan on Ray: a real one on this machine, with its workers and its driver killed."""

import contextlib
import functools
import signal
import socket
import sys
import time
from types import SimpleNamespace

import psutil
import pytest
import ray
import tiny_cifar
from tiny_cifar import PLAN, tiny_data, without_times

from lrcore.cifar import cluster, comparison
from lrcore.cifar.comparison import claim

PATIENCE = 240  # seconds, for what takes a few on a machine with nothing else to do


@pytest.fixture
def tiny(monkeypatch, one_thread):
    monkeypatch.setattr(comparison, "load", lambda folder: tiny_data())


# ---------------------------------------------------------------------- a real cluster


class Driver:
    """The command line with --cluster local: a context, after which nothing of Ray may be left."""

    def __init__(self, results):
        self.command = [sys.executable, tiny_cifar.__file__, "run", "--plan", "tiny"]
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
        driver.wait_for(lambda: len(finished(folder)) >= 4 and driver.busy_workers())
        before = finished(folder)
        victim = driver.busy_workers()[0]
        victim.kill()
        hit = in_flight(folder)
        assert first < before and hit and not hit & before
        # the very runs that were being made are there in the end, by the same driver
        driver.wait_for(lambda: finished(folder) >= hit)
        assert not victim.is_running()
        # the finals depend on all runs before them
        driver.wait_for(lambda: len(finished(folder)) >= 12 and in_flight(folder))
        driver.process.send_signal(signal.SIGINT)
        status, log = driver.end()
    assert status == 1 and "tiny:" in log and "Traceback" not in log
    assert log.endswith("Interrupted. Start it again to go on: finished runs are kept.\n")
    assert 12 <= len(finished(folder)) < len(undisturbed)
    assert without_times(comparison.run(PLAN, results=folder)) == without_times(undisturbed)


# ---------------------------------------------------------------------- the driver alone


class FakeRay:
    """Stands for Ray, with 2 CPUs: a task is made when its result is asked for."""

    exceptions = ray.exceptions

    def __init__(self, connected=False):
        self.connected, self.calls, self.cancelled = connected, [], []

    def is_initialized(self):
        return self.connected

    def init(self, address, **settings):
        self.calls.append(f"init {address}")

    def shutdown(self):
        self.calls.append("shutdown")

    def put(self, value):
        return value

    def cluster_resources(self):
        return {"CPU": 2.0}

    def remote(self, function):
        remote = functools.partial(functools.partial, function)
        return SimpleNamespace(options=lambda **settings: SimpleNamespace(remote=remote))

    def wait(self, tasks, timeout):
        assert len(tasks) <= 2
        return tasks[-1:], tasks[:-1]

    def get(self, task):
        return task() if callable(task) else task

    def cancel(self, task, force):
        self.cancelled.append(task)


@pytest.fixture
def fake(monkeypatch, tiny):
    monkeypatch.setattr(cluster, "ray", FakeRay())
    return cluster.ray


def test_a_plan_is_completed(tmp_path, fake, undisturbed):
    rows = comparison.run(PLAN, results=tmp_path / "new" / "folder", cluster="local")
    assert without_times(rows) == without_times(undisturbed)
    assert fake.calls == ["init local", "shutdown"] and fake.cancelled == []


def test_a_limit_cancels_what_is_in_flight(tmp_path, fake):
    assert len(comparison.run(PLAN, results=tmp_path, limit=2, cluster="local")) == 2
    assert len(fake.cancelled) == 1 and fake.calls[-1] == "shutdown"
    comparison.run(PLAN, results=tmp_path, limit=1)
    assert finished(tmp_path) == {run.name for run in PLAN.runs([])[:3]}, "its lock is free"


def test_an_interrupted_driver_gives_up_its_runs(tmp_path, fake, monkeypatch):
    def interrupted(tasks, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(fake, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        comparison.run(PLAN, results=tmp_path, cluster="local")
    assert len(fake.cancelled) == 2 and fake.calls[-1] == "shutdown"
    for run in PLAN.runs([]):
        assert claim([run], tmp_path)[0] == run


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
    run = PLAN.runs([])[0]
    with pytest.raises(RuntimeError, match=f"run {run.name} {words}"):
        cluster.result_of(None, run)


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

    def remote(self, plan, run, data):
        self.submitted.append(run)
        return run.name


@pytest.mark.parametrize(
    "resources, count, settings",
    [
        ({"CPU": 4.0}, 4, {"num_cpus": 1, "num_gpus": 0}),
        ({"CPU": 64.0, "GPU": 2.0}, 2, {"num_cpus": 0, "num_gpus": 1}),
        ({}, 1, {"num_cpus": 1, "num_gpus": 0}),
        ({"CPU": 64.0}, 6, {"num_cpus": 1, "num_gpus": 0}),  # all that can be made at first
    ],
)
def test_a_cluster_is_filled_but_no_more(tmp_path, monkeypatch, resources, count, settings):
    tasks, flying = Tasks(), {}
    monkeypatch.setattr(
        cluster, "ray", SimpleNamespace(cluster_resources=lambda: resources, remote=tasks)
    )
    runs = PLAN.runs([])
    for _ in range(2):  # the second time there is nothing to add
        cluster.submit_all(runs, PLAN, tmp_path, None, flying)
        assert tasks.submitted == runs[:count]
    assert tasks.settings == settings | {"max_retries": 3}
    assert list(flying) == [run.name for run in runs[:count]]
    for run, lock in flying.values():
        assert claim([run], tmp_path) is None, "it is claimed"
        lock.release()
        again = claim([run], tmp_path)
        assert again[0] == run
        again[1].release()
