"""A comparison that takes seconds, for the tests: random pictures, a network of 500 weights."""

import os
import signal

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

import lrcore
from lrcore.cifar import Plan, comparison
from lrcore.cifar.data import Data, Images

# 18 runs of 30 to 90 steps: of all kinds, and the last ones depend on the first ones
PLAN = Plan(
    "tiny",
    "for the tests",
    widths=(2, 2, 2, 4),
    stride=2,
    batch_size=10,
    schedulers=("constant", "reduce_lr_on_plateau", "cosine_annealing_lr"),
    rates=(0.05, 0.1),
    tuning={1: 1},
    fair={1: 2, 2: 1},
    finals={3: 1},
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
    """The rows as they would be on a machine that is always as fast."""
    return [{**row, "seconds": None} for row in rows]


def make(folder, log, die_while_writing=False):
    """What another process does: make the plan in `folder`; `log` gets the name of each run."""
    torch.set_num_threads(1)
    make_row = comparison.make_row

    def logged(plan, run, data):
        with open(log, "a") as file:
            file.write(run.name + "\n")
        return make_row(plan, run, data)

    def die(handle):
        os.kill(os.getpid(), signal.SIGKILL)

    comparison.make_row = logged
    comparison.load = lambda folder: tiny_data()
    if die_while_writing:
        os.fsync = die
    comparison.run(PLAN, results=folder)
