"""The runs of a plan on Ray: a real one on this machine, with its workers and its driver killed."""

import contextlib
import signal
import socket
import sys
import time
from types import SimpleNamespace

import psutil
import pytest
import ray
import tiny_cifar
from tiny_cifar import PLAN, without_times

from lrcore.cifar import cluster
from lrcore.cifar.comparison import claim, read_rows

PATIENCE = 240  # seconds, for what takes a few on a machine with nothing else to do


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


def test_it_survives_the_death_of_a_worker_and_of_its_driver(tmp_path, undisturbed):
    folder = tmp_path / "results"
    with Driver(folder) as driver:
        driver.wait_for(lambda: len(finished(folder)) >= 2 and driver.busy_workers())
        before = finished(folder)
        victim = driver.busy_workers()[0]
        victim.kill()
        hit = in_flight(folder)
        assert hit and not hit & before
        # the very runs that were being made are there in the end, by the same driver
        driver.wait_for(lambda: finished(folder) >= hit)
        assert not victim.is_running()
        driver.process.send_signal(signal.SIGINT)
        status, log = driver.end()
    assert status == 1 and "tiny:" in log and "Traceback" not in log
    assert log.endswith("Interrupted. Start it again to go on: finished runs are kept.\n")
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert len(kept) < len(undisturbed)

    with Driver(folder) as driver:
        driver.wait_for(lambda: len(finished(folder)) > len(kept))
        status, log = driver.end()
    assert status == 0 and log.endswith(f"{len(undisturbed)} runs are recorded.\n"), log
    assert all(path.stat().st_mtime_ns == changed for path, changed in kept.items())
    assert without_times(read_rows(folder)) == without_times(undisturbed)


# ---------------------------------------------------------------------- without one


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1:PORT", "127.0.0.1", "127.0.0.1:99999", "x:y", ""])
def test_an_address_where_nothing_answers_is_refused_soon(tmp_path, monkeypatch, address):
    monkeypatch.setattr(tiny_cifar.comparison, "load", lambda folder: tiny_cifar.tiny_data())
    address = address.replace("PORT", str(unused_port()))
    start = time.monotonic()
    with pytest.raises(ValueError) as caught:
        tiny_cifar.comparison.run(PLAN, results=tmp_path / "new", cluster=address)
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
