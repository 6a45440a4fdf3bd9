"""A comparison that takes seconds, for the tests: random pictures, a network of 500 weights."""

import functools
import os
import signal
from dataclasses import replace
from tempfile import TemporaryDirectory
from unittest import mock

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

import lrcore
from lrcore.cifar import PLANS, Plan, comparison
from lrcore.cifar.__main__ import main
from lrcore.cifar.data import Data, Images

# 15 runs of 30 or 60 steps in 5 groups of 3: of all kinds, and those that judge depend on the first
PLAN = Plan(
    "tiny",
    "for the tests",
    widths=(2, 2, 2, 4),
    stride=2,
    batch_size=10,
    schedulers=("constant", "reduce_lr_on_plateau", "cosine_annealing_lr"),
    rates=(0.05, 0.1),
    tuning={1: 1},
    fair={1: 2},
    finals={2: 1},
    finalists=1,
)


def tiny_data(train=300, validation=50, test=50, seed=0):
    """Random pictures with random labels."""
    generator = torch.Generator().manual_seed(seed)

    def images(n):
        pixels = torch.randint(256, (n, 3, 32, 32), generator=generator, dtype=torch.uint8)
        return Images(pixels, torch.randint(10, (n,), generator=generator))

    return Data("tiny", f"{seed:064x}", images(train), images(validation), images(test))


def curve(entry, steps, lr, **arguments):
    """What each of `steps` scheduler steps gives, as (lr, momentum); the metric never falls."""
    plateau = entry.make is ReduceLROnPlateau
    metrics = [1.0] * steps if plateau else None
    return lrcore.trace(entry.make, steps, lr=lr, metrics=metrics, **arguments)


def without_times(rows):
    """The rows as they would be on a machine that is always as fast, in groups of any size."""
    return [{**row, "seconds": None, "together": None} for row in rows]


@functools.cache
def whole():
    """The rows of the whole plan, made in one go, with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder, mock.patch.object(comparison, "load", load):
        rows = comparison.run(PLAN, results=folder)
    torch.set_num_threads(threads)
    return rows


def load(folder):
    """Stands for the `load` of the real data."""
    return tiny_data()


def make(folder, log, die_while_writing=False):
    """What another process does: make the plan in `folder`; `log` gets the name of each run."""
    torch.set_num_threads(1)
    make_rows = comparison.Trainer.make_rows

    def logged(trainer, runs):
        with open(log, "a") as file:
            file.write("".join(run.name + "\n" for run in runs))
        return make_rows(trainer, runs)

    def die(handle):
        os.kill(os.getpid(), signal.SIGKILL)

    comparison.Trainer.make_rows = logged
    comparison.load = load
    if die_while_writing:
        os.fsync = die
    comparison.run(PLAN, results=folder)


# A program that starts with this is on a machine of a cluster, which has but what training needs:
# nothing that imports the others, or looks for them, finds them.
MACHINE_OF_A_CLUSTER = """
import sys

LACKING = "IPython ipywidgets fastjsonschema pooch matplotlib pandas".split()

class WithoutThem:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, *where):
        return None if name.partition(".")[0] in LACKING else self.finder.find_spec(name, *where)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(WithoutThem, sys.meta_path)
"""

if __name__ == "__main__":
    # the command line, with this plan and this data
    comparison.load = load
    # the last runs are so long that they can be interrupted
    PLANS.update(tiny=PLAN, long=replace(PLAN, finals={40: 1}))
    torch.set_num_threads(1)
    main()
