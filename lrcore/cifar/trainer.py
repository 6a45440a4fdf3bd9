"""Turns runs of a plan into rows: those of one seed are trained together, on this machine."""

import functools
import platform
import time

import torch

from lrcore import __version__
from lrcore.cifar import recall
from lrcore.cifar.entries import EXPERIMENTS
from lrcore.cifar.networks import pictures, sequences
from lrcore.cifar.store import group_of
from lrcore.cifar.together import Member, Together
from lrcore.cifar.training import OPTIMIZERS, Setup, best_precision, train

POINTS = 48  # a result keeps its learning rate at this many steps, in equal distances
# How many runs are trained together, at most. A GPU is fast only when it is full; on a CPU sharing
# the batches saves a tenth of the time, and few together lose little when they are interrupted.
GROUP = {"cuda": 32, "mps": 4, "cpu": 4}


class Trainer:
    """Makes runs of a plan on the device of `data`, up to `size` at once."""

    def __init__(self, plan, data):
        self.plan, self.data = plan, data
        device = data.train.labels.device
        self.facts = facts(device)
        self.setup = setup_of(plan, best_precision(device))
        # float16 needs a scale for each run, which may skip steps: then they go one by one
        self.alone = self.setup.precision == torch.float16
        self.size = 1 if self.alone else group_size(plan, device.type)

    @functools.cached_property
    def together(self):
        steps = self.plan.longest * (len(self.data.train.labels) // self.plan.batch_size)
        return Together(self.data, self.setup, self.size, steps)

    def make_rows(self, runs):
        """Make `runs`, of one experiment, budget and seed, and return their rows."""
        start = time.perf_counter()
        experiment, epochs, seed = group_of(runs[0])
        schedules = [schedule_of(self.plan, run, self.data) for run in runs]
        how = {
            "epochs": epochs,
            "seed": seed,
            "judge_on": "validation" if experiment == "tuning" else "test",
            "along": experiment == "horizon",
        }
        if self.alone:
            outcomes = [
                train(self.data, self.setup, make, lr=run.peak_lr, every=every, **how)
                for run, (make, every, _) in zip(runs, schedules, strict=True)
            ]
        else:
            members = [
                Member(make, run.peak_lr, every)
                for run, (make, every, _) in zip(runs, schedules, strict=True)
            ]
            outcomes = self.together.train(members, **how)
        seconds = round((time.perf_counter() - start) / len(runs), 3)
        return [
            self.row(run, schedule, outcome) | {"together": len(runs), "seconds": seconds}
            for run, schedule, outcome in zip(runs, schedules, outcomes, strict=True)
        ]

    def row(self, run, schedule, outcome):
        """All that is needed to repeat a run, and what it gave."""
        make, every, arguments = schedule
        entry = EXPERIMENTS[run.experiment][run.scheduler]
        return {
            "plan": self.plan.name,
            **run._asdict(),
            "made_by": getattr(entry.make, "__name__", str(entry.make)),
            "arguments": arguments,
            "scheduler_every": every,
            "judged_on": "validation" if run.experiment == "tuning" else "test",
            "accuracy": outcome.accuracy,
            "cross_entropy": outcome.cross_entropy,
            "diverged_at": outcome.diverged_at,
            "evaluations": [list(evaluation) for evaluation in outcome.evaluations],
            "losses": [round(loss, 5) for loss in outcome.losses],
            "lr": [float(f"{rate:.4g}") for rate in spread_out(outcome.lr)],
            "steps": len(outcome.lr),
            **settings(self.plan, self.data),
            "data": self.data.name,
            **self.facts,
            "lrcore": __version__,
            "python": platform.python_version(),
        }


def group_size(plan, device_type):
    """How many runs are trained together: all schedulers, or all several times, if they fit."""
    most = GROUP[device_type]
    return most // len(plan.schedulers) * len(plan.schedulers) or most


def setup_of(plan, precision):
    """The `Setup` that all runs of the plan share."""
    convolutional = plan.network == "convolutional"
    task = pictures(plan.widths, plan.stride) if convolutional else sequences(recall.transformer)
    return Setup(task, plan.optimizer, plan.batch_size, precision)


def schedule_of(plan, run, data):
    """How a run's scheduler is made, from how many steps to the next it steps, its arguments."""
    entry = EXPERIMENTS[run.experiment][run.scheduler]
    steps = run.epochs * (len(data.train.labels) // plan.batch_size)
    every = entry.every(steps, run.epochs)
    arguments = entry.arguments(steps // every, run.peak_lr)
    return functools.partial(entry.make, **arguments), every, arguments


def settings(plan, data):
    """What a row says of the plan it belongs to, for all runs the same."""
    convolutional = plan.network == "convolutional"
    optimizer = OPTIMIZERS[plan.optimizer]
    return {
        "network": plan.network,
        "widths": list(plan.widths) if convolutional else None,
        "stride": plan.stride if convolutional else None,
        "batch_size": plan.batch_size,
        "optimizer": plan.optimizer,
        "optimizer_arguments": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in optimizer.items()
        },
        "fingerprint": data.fingerprint,
    }


def facts(device):
    """What a row says of the machine that made it."""
    return {
        "device": device_name(device),
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "precision": str(best_precision(device)).removeprefix("torch."),
        "torch": torch.__version__,
    }


def spread_out(values):
    """POINTS of the values, in equal distances, the first one included."""
    return [values[i * len(values) // POINTS] for i in range(POINTS)]


def device_name(device):
    """The GPU's name, or "CPU" and its architecture."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "CPU, " + platform.machine() if device.type == "cpu" else "Apple MPS"
