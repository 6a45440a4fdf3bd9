"""The runs of a plan on a Ray cluster: this process keeps the books, the workers train.

Only this process reads and writes the folder of results, so the machines need no common disk. It
claims runs as `comparison.in_this_process` does; several such processes, with a cluster or without,
may share one folder. The workers must be able to import lrcore, in the same version, and torch.
Source: https://docs.ray.io/en/latest/ray-core/tasks.html
"""

import logging
import os
import socket
import time

import torch

from lrcore.cifar import store
from lrcore.cifar.plans import run_of
from lrcore.cifar.trainer import Trainer, group_size
from lrcore.cifar.training import best_device

try:
    import ray
except ImportError as error:
    raise ImportError('a cluster needs Ray: pip install "lrcore[cluster]"') from error

# A group of runs keeps a whole GPU busy: two on one would only wait for each other. Without GPUs it
# gets one core and computes in one thread: many side by side use the cores better than one does.
GPUS_A_GROUP = 1
CPUS_A_GROUP = 1
RETRIES = 3  # how often a group starts again after its worker died


def on_ray(address, plan, folder, data, allowance):
    """Make the missing runs on a Ray cluster, and yield their rows as they are recorded.

    `address` is that of the cluster, such as "auto" or "192.168.0.7:6379"; "local" starts Ray on
    this machine alone. If this process is already connected to Ray, that connection serves.
    `allowance` is the caller's `comparison.Allowance`.

    Runs go out in groups, those of one seed together. A group whose worker dies is started again,
    `RETRIES` times. When the generator is closed or interrupted, what is in flight is cancelled,
    and whoever asks next can claim it.

    Raises ImportError without Ray, ValueError if no cluster answers at `address`, and RuntimeError
    with the names of the runs if a group fails.
    """
    ours = not ray.is_initialized()
    if ours:
        connect(address)
    in_flight = {}  # the Ray task of each group, with its runs and their locks
    try:
        # sent once, not with each task; workers get it from each other
        data = ray.put(data)
        while True:
            runs = store.missing(plan, folder)
            more = submit_all(runs, plan, folder, data, allowance, in_flight)
            if not in_flight:
                if not more:
                    return
                time.sleep(1)  # other processes are making all that is left
                continue
            # in vain after a second: look again for runs to claim, since other processes may have
            # given some up, and machines may have joined
            for task in ray.wait(list(in_flight), timeout=1)[0]:
                claimed = in_flight[task]
                rows = result_of(task, list(claimed))
                for row in rows:
                    store.write_row(folder, run_of(row), row)
                del in_flight[task]
                store.release(claimed)
                allowance.made(rows)
                yield rows
    finally:
        for task, claimed in in_flight.items():
            ray.cancel(task, force=True)
            store.release(claimed)
        if ours:
            ray.shutdown()


def connect(address):
    """Start Ray on this machine, or connect to the cluster at `address`."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anyone
        ray.init("local", include_dashboard=False, **quiet)
        return
    try:
        if address != "auto":
            # Ray itself would go on trying for a quarter of an hour
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address, **quiet)
    except (OSError, ValueError, OverflowError) as error:
        raise ValueError(
            f'cluster={address!r}: no Ray cluster answers there; allowed are "local", "auto" '
            "(the cluster that this machine is part of) and an address HOST:PORT"
        ) from error


def submit_all(runs, plan, folder, data, allowance, in_flight):
    """Claim and submit some of `runs` until the cluster is full or there is nothing to claim.

    Returns whether there may be more to do: False if nothing is missing or allowed any more.
    """
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0) / GPUS_A_GROUP)
    slots = gpus or max(1, int(resources.get("CPU", 0) / CPUS_A_GROUP))
    task = ray.remote(on_worker).options(
        num_gpus=GPUS_A_GROUP if gpus else 0,
        num_cpus=0 if gpus else CPUS_A_GROUP,
        max_retries=RETRIES,
    )
    while len(in_flight) < slots:
        size = allowance.admit(runs, group_size(plan, "cuda" if gpus else "cpu"))
        if not runs or not size:
            return False
        claimed = store.claim(runs, folder, size)
        if not claimed:
            return True
        allowance.claimed(claimed)
        # in a list: so the worker gets the reference, and can keep what it stands for
        in_flight[task.remote(plan, list(claimed), [data])] = claimed
        runs = [run for run in runs if run not in claimed]
    return True


TRAINERS = {}  # on a worker: made for its first group, kept for the next ones


def on_worker(plan, runs, data):
    """Make a group of runs: this is what a worker executes."""
    torch.set_num_threads(1)
    key = (repr(plan), data[0])
    if key not in TRAINERS:
        TRAINERS.clear()
        TRAINERS[key] = Trainer(plan, ray.get(data[0]).to(best_device()))
    return TRAINERS[key].make_rows(runs)


def result_of(task, runs):
    """The rows that `task` gave. Raises RuntimeError if it failed, with the names of its runs."""
    names = ", ".join(run.name for run in runs)
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise RuntimeError(f"run {names} failed on a worker: {error.cause!r}") from error
    except ray.exceptions.RayError as error:
        raise RuntimeError(
            f"run {names} was given up, its worker died {RETRIES + 1} times: {error}"
        ) from error
