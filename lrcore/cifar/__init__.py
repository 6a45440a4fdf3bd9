"""All schedulers on CIFAR-10: data, training, comparison and recorded results.

Read it in this order: `data`, `training` (the network and the loop), `entries` (the schedulers
and their arguments), `plans` (which runs), `comparison` (making them), `cluster` (on many
machines), `results` (the recorded rows and their statistics), `figures`.

Needs the extra packages of `lrcore[cifar]`; Colab has them all.
"""

from lrcore.cifar.comparison import run
from lrcore.cifar.data import load
from lrcore.cifar.plans import PLANS, Plan

__all__ = ["PLANS", "Plan", "load", "run"]
