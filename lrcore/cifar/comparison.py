"""Make the runs of a plan: those of one seed together, each written as soon as it is finished."""

import contextlib
import functools
import os
import platform
import time
from pathlib import Path

import torch
from tqdm.auto import tqdm

from lrcore import __version__
from lrcore.cifar import recall, store
from lrcore.cifar.data import load
from lrcore.cifar.entries import EXPERIMENTS, MIN_STEPS
from lrcore.cifar.networks import pictures, sequences
from lrcore.cifar.plans import PLANS, Plan, run_of
from lrcore.cifar.together import Member, Together
from lrcore.cifar.training import OPTIMIZERS, Setup, best_device, best_precision, train

POINTS = 48  # a result keeps its learning rate at this many steps, in equal distances
# How many runs are trained together, at most. A GPU is fast only when it is full; on a CPU sharing
# the batches saves a tenth of the time, and few together lose little when they are interrupted.
GROUP = {"cuda": 32, "mps": 4, "cpu": 4}


def run(plan, data=None, results=None, limit=None, cluster=None, minutes=None, out=None):
    """Make the runs of `plan` that `results` lacks, and return the rows of all that it then has.

    `plan` is a name in `PLANS` or a `Plan`. `data` is a folder, as in `load` (None: what the plan
    names, or else the download). `results` is the folder for the results, one JSON file a run
    (None: results/ and the plan's name). `limit` ends after that many new runs, `minutes` before
    the first runs that would not be finished in that time. `cluster` is the address of a Ray
    cluster that makes the runs ("local" starts one on this machine). `out` is a file of JSON
    lines: the rows that it has are taken into the folder, and it is written anew, whole, after
    each group of runs.

    May be interrupted or killed at any moment and started again: it loses the runs in flight and
    repeats none. Several processes may work on one folder at the same time.

    Raises ValueError for an unknown plan, a wrong limit or number of minutes, an `out` that cannot
    be a file, a plan with too few steps, and a folder that holds results of other settings than
    these, or anything else that is called .json; what `load` raises; ImportError for a cluster
    without Ray, and ValueError if none answers: all before anything is written.
    """
    if not isinstance(plan, Plan):
        if plan not in PLANS:
            raise ValueError(f"plan={plan!r}: allowed are {', '.join(PLANS)}, or a Plan")
        plan = PLANS[plan]
    allowance = Allowance(limit, minutes)
    folder = Path(results or Path("results", plan.name))
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"results={str(folder)!r} is a file: allowed is a folder, old or new")
    if out is not None and (Path(out).is_dir() or not Path(out).parent.is_dir()):
        raise ValueError(
            f"out={str(out)!r}: allowed is a file, old or new, in a folder that is there"
        )
    taken = store.read_lines(out) if out and Path(out).exists() else []
    if cluster is None:
        make_rows = in_this_process
    else:
        from lrcore.cifar.cluster import on_ray  # Ray is not needed for anything else

        make_rows = functools.partial(on_ray, cluster)
    data = data_for(plan, data)
    refuse_short_runs(plan, data)
    # a cluster may consist of other machines than this one
    where = {} if cluster else facts(best_device())
    refuse_strangers(plan, data, store.read_rows(folder), f"results={str(folder)!r}", where)
    refuse_strangers(plan, data, taken, f"out={str(out)!r}", where)
    if taken:  # else the first claim makes the folder, once a cluster has answered
        store.take_in(taken, folder)
    return make_all(plan, folder, out, make_rows(plan, folder, data, allowance))


def make_all(plan, folder, out, groups):
    """Go through `groups` of new rows with a progress bar; return all rows of the folder."""
    rows = store.read_rows(folder)
    # the bar counts epochs of the whole plan, and so what other processes have made too
    done = sum(row["epochs"] for row in rows)
    # tqdm reads TQDM_DISABLE itself, but its bar for notebooks does not
    quiet = bool(os.environ.get("TQDM_DISABLE"))
    total = plan.all_epochs
    with (
        tqdm(total=total, initial=done, desc=plan.name, unit="epoch", disable=quiet) as bar,
        contextlib.closing(groups),
    ):
        for _ in groups:
            rows = store.read_rows(folder)
            if out:
                store.write_lines(out, rows)
            bar.update(sum(row["epochs"] for row in rows) - bar.n)
    rows = store.read_rows(folder)
    if out:  # written even if there was nothing to make, or other processes made it
        store.write_lines(out, rows)
    return rows


class Allowance:
    """What is left of the runs and of the time that the caller allows."""

    def __init__(self, limit=None, minutes=None):
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise ValueError(f"limit={limit!r}: allowed is None or a whole number, 1 or more")
        if minutes is not None and not (isinstance(minutes, int | float) and minutes > 0):
            raise ValueError(f"minutes={minutes!r}: allowed is None or a number above 0")
        self.runs = float("inf") if limit is None else limit
        self.end = float("inf") if minutes is None else time.monotonic() + 60 * minutes
        self.seconds_an_epoch = 0.0  # unknown: the first group is made in any case

    def admit(self, runs, size):
        """How many of the next `size` of `runs` are allowed; 0 if they would not be ready."""
        size = min(size, self.runs)
        seconds = self.seconds_an_epoch * sum(run.epochs for run in runs[:size])
        return 0 if time.monotonic() + seconds > self.end else size

    def claimed(self, runs):
        self.runs -= len(runs)

    def made(self, rows):
        """Learn from finished rows how long one takes."""
        seconds = sum(row["seconds"] for row in rows)
        self.seconds_an_epoch = seconds / sum(row["epochs"] for row in rows)


def in_this_process(plan, folder, data, allowance):
    """Make the missing runs in this process, and yield their rows, group by group."""
    trainer = Trainer(plan, data.to(best_device()))
    while runs := store.missing(plan, folder):
        size = allowance.admit(runs, trainer.size)
        if not size:
            return
        claimed = store.claim(runs, folder, size)
        try:
            if not claimed:
                time.sleep(1)  # other processes are making all that is left
                continue
            allowance.claimed(claimed)
            rows = trainer.make_rows(list(claimed))
            for row in rows:
                store.write_row(folder, run_of(row), row)
        finally:
            store.release(claimed)
        allowance.made(rows)
        yield rows


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
        experiment, epochs, seed = store.group_of(runs[0])
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


def data_for(plan, data):
    """The data of the plan: what `data` names, or what the plan itself names or makes."""
    if plan.network == "convolutional":
        return load(plan.data if data is None else data)
    if data is not None:
        raise ValueError(f"data={data!r}: allowed is None, plan {plan.name!r} makes its own data")
    return recall.load()


def refuse_short_runs(plan, data):
    """Raise ValueError if a run of the plan has too few steps on this data."""
    images = len(data.train.labels)
    steps = plan.shortest * (images // plan.batch_size)
    if steps < MIN_STEPS:
        raise ValueError(
            f"batch_size={plan.batch_size}: in {plan.shortest} epochs of {images} training images "
            f"that makes {steps} steps, needed are {MIN_STEPS}"
        )


def refuse_strangers(plan, data, rows, place, where):
    """Raise ValueError if one of the rows found at `place` was made with other settings.

    `place` is the argument of `run` that names it, with its value. `where` is what `facts` says of
    this machine; {} asks for none.
    """
    wanted = {"plan": plan.name, **settings(plan, data), **where}
    for row in rows:
        run = run_of(row)
        known = run.scheduler in EXPERIMENTS.get(run.experiment, {})
        arguments = schedule_of(plan, run, data)[2] if known else None
        for name, value in {**wanted, "arguments": arguments}.items():
            found = row.get(name)
            if found != value:
                raise ValueError(
                    f"{place} holds a run ({run.name}) with {name} {found}: this "
                    f"plan, data and machine have {value}. Name another place"
                )
