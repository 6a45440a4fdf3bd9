"""A comparison that takes seconds, for the tests: random pictures, a network of 300 weights."""

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

import lrcore
from lrcore.cifar import Plan
from lrcore.cifar.data import Data, Images

SETTINGS = {"widths": (2, 2, 2, 4), "stride": 2, "batch_size": 10}
SCHEDULERS = ("constant", "reduce_lr_on_plateau", "cosine_annealing_lr")
# 31 runs of 30 to 60 steps: of all kinds, and the last ones depend on the first ones
PLAN = Plan(
    "tiny",
    "for the tests",
    **SETTINGS,
    schedulers=SCHEDULERS,
    rates=(0.05, 0.1),
    tuning={1: 1},
    fair={1: 3, 2: 3},
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
