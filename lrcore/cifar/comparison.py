"""Make the runs of a plan that are missing, and write each group as soon as it is finished."""

import contextlib
import functools
import os
import time
from pathlib import Path

from tqdm.auto import tqdm

from lrcore.cifar import recall, store
from lrcore.cifar.data import load
from lrcore.cifar.entries import EXPERIMENTS, MIN_STEPS
from lrcore.cifar.plans import PLANS, Plan, run_of
from lrcore.cifar.trainer import Trainer, facts, schedule_of, settings
from lrcore.cifar.training import best_device


def run(plan, data=None, results=None, limit=None, cluster=None, minutes=None, out=None):
    """Make the runs of a plan that are missing, and return the rows of all that are there.

    May be interrupted or killed at any moment and started again: it loses the runs in flight and
    repeats none. Several processes may work on one folder at the same time.

    Args:
        plan: a name in `PLANS`, or a `Plan`.
        data: a folder with the images, or "sample", as in `load`. None takes what the plan names,
            or else the download. A plan with the transformer makes its own data.
        results: the folder for the results, one JSON file a run; what it has is not made again.
            None is results/ and the plan's name.
        limit: end after that many new runs. None makes all.
        cluster: the address of a Ray cluster that makes the runs; "local" starts one on this
            machine. None makes them in this process.
        minutes: end before the first runs that would not be finished in that time. How long one
            takes is known after the first runs, which are made in any case.
        out: a file of JSON lines. The rows that it has are taken into the folder, and it is
            written anew, whole, after each group of runs.

    Returns:
        A list of dicts, one a run: the rows of the folder. `pandas.DataFrame` makes of it what
        `analysis` and `figures` take.

    Raises:
        ValueError: an unknown plan, a wrong limit or number of minutes, an `out` that cannot be a
            file, a plan with too few steps, data for a plan that makes its own, a folder or an
            `out` that holds results of other settings than these, anything else in the folder that
            is called .json, or a cluster that does not answer.
        ImportError: a cluster is asked for, and Ray is not installed.
        RuntimeError: runs failed on a cluster; those that were finished are kept.
        What `load` raises comes as it is. All but RuntimeError come before anything is trained.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> plan = Plan(
        ...     "tiny",
        ...     "30 steps of a constant rate",
        ...     widths=(2, 2, 2, 4),
        ...     stride=2,
        ...     batch_size=150,
        ...     schedulers=("constant",),
        ...     rates=(0.1,),
        ...     fair={1: 1},
        ... )
        >>> with TemporaryDirectory() as folder:
        ...     rows = run(plan, data="sample", results=folder)
        >>> [(row["scheduler"], row["seed"], row["steps"]) for row in rows]
        [('constant', 300, 30)]
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
