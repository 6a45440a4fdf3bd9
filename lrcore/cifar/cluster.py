"""The runs of a plan on a Ray cluster: this process keeps the books, the workers train.

Only this process reads and writes the folder of results, so the machines need no common disk. It
claims each run as `one_by_one` does; several such processes, with a cluster or without, may share
one folder. The workers must be able to import lrcore, in the same version, and torch.
Source: https://docs.ray.io/en/latest/ray-core/tasks.html
"""

import functools
import logging
import os
import time

import torch

from lrcore.cifar.comparison import claim, make_row, missing, write_row
from lrcore.cifar.training import best_device

try:
    import ray
except ImportError as error:
    raise ImportError('a cluster needs Ray: pip install "lrcore[cluster]"') from error

# A run keeps a whole GPU busy: two on one would only wait for each other. Without GPUs it gets one
# core and computes in one thread, since many runs side by side use the cores better than one does.
GPUS_A_RUN = 1
CPUS_A_RUN = 1
RETRIES = 3  # how often a run starts again after its worker died


def on_ray(address, plan, folder, data):
    """Make the missing runs on a Ray cluster, and yield their rows as they are recorded.

    `address` is that of the cluster, such as "auto" or "192.168.0.7:6379"; "local" starts Ray on
    this machine alone. If this process is already connected to Ray, that connection serves.

    A run whose worker dies is started again, `RETRIES` times. When the generator is closed or
    interrupted, what is in flight is cancelled, and whoever asks next can claim it.

    Raises ImportError without Ray, ValueError if no cluster answers at `address`, and RuntimeError
    with the name of the run if one fails.
    """
    ours = not ray.is_initialized()
    if ours:
        connect(address)
    in_flight = {}  # the Ray task of each run, with the run and its lock
    try:
        # sent once, not with each task; workers get it from each other
        data = ray.put(data)
        while (runs := missing(plan, folder)) or in_flight:
            submit_all(runs, plan, folder, data, in_flight)
            if not in_flight:
                time.sleep(1)  # other processes are making all that is left
                continue
            # in vain after a second: look again for runs to claim, since other processes may have
            # given some up, and machines may have joined
            for task in ray.wait(list(in_flight), timeout=1)[0]:
                run, lock = in_flight[task]
                row = result_of(task, run)
                write_row(folder, run, row)
                del in_flight[task]
                lock.release()
                yield row
    finally:
        for task, (_, lock) in in_flight.items():
            ray.cancel(task, force=True)
            lock.release()
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
        ray.init(address, **quiet)
    except (ConnectionError, ValueError) as error:
        raise ValueError(
            f'cluster={address!r}: no Ray cluster answers there; allowed are "local", "auto" '
            "(the cluster that this machine is part of) and an address HOST:PORT"
        ) from error


def submit_all(runs, plan, folder, data, in_flight):
    """Claim and submit some of `runs` until the cluster is full or there is nothing to claim."""
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0) / GPUS_A_RUN)
    slots = gpus or max(1, int(resources.get("CPU", 0) / CPUS_A_RUN))
    task = ray.remote(on_worker).options(
        num_gpus=GPUS_A_RUN if gpus else 0,
        num_cpus=0 if gpus else CPUS_A_RUN,
        max_retries=RETRIES,
    )
    while len(in_flight) < slots:
        claimed = claim(runs, folder)
        if claimed is None:
            return
        run, _ = claimed
        # in a list: so the worker gets the reference, and can keep what it stands for
        in_flight[task.remote(plan, run, [data])] = claimed


def on_worker(plan, run, data):
    """Make one run: this is what a worker executes."""
    torch.set_num_threads(1)
    return make_row(plan, run, on_device(*data))


@functools.lru_cache(maxsize=1)
def on_device(data):
    """The data on this worker's device: fetched for its first run, kept for the next ones."""
    return ray.get(data).to(best_device())


def result_of(task, run):
    """The row that `task` gave. Raises RuntimeError if it failed, with the name of its run."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise RuntimeError(f"run {run.name} failed on a worker: {error.cause!r}") from error
    except ray.exceptions.RayError as error:
        raise RuntimeError(
            f"run {run.name} was given up, its worker died {RETRIES + 1} times: {error}"
        ) from error
