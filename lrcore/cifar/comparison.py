"""Make the runs of a plan, one file a run, so that nothing that is finished is ever lost."""

import contextlib
import functools
import itertools
import json
import os
import platform
import time
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from lrcore import __version__
from lrcore.cifar.data import load
from lrcore.cifar.entries import DEFAULTS, FAIR, MIN_STEPS
from lrcore.cifar.plans import PLANS, Plan, Run
from lrcore.cifar.training import MOMENTUM, WEIGHT_DECAY, best_device, best_precision, train

POINTS = 48  # a result keeps its learning rate at this many steps, in equal distances


def run(plan, data=None, results=None, limit=None, cluster=None):
    """Make the runs of `plan` that `results` lacks, and return the rows of all that it then has.

    `plan` is a name in `PLANS` or a `Plan`. `data` is a folder, as in `load` (None: what the plan
    names, or else the download). `results` is the folder for the results, one JSON file a run
    (None: results/ and the plan's name). `limit` ends after that many new runs. `cluster` is the
    address of a Ray cluster that makes the runs ("local" starts one on this machine).

    May be interrupted or killed at any moment and started again: it loses the run in flight and
    repeats none. Several processes may work on one folder at the same time.

    Raises ValueError for an unknown plan, a wrong limit, a plan with too few steps, and a folder
    that holds results of another plan, network or data, or anything else that is called .json;
    what `load` raises; ImportError for a cluster without Ray, and ValueError if none answers: all
    before anything is written.
    """
    if not isinstance(plan, Plan):
        if plan not in PLANS:
            raise ValueError(f"plan={plan!r}: allowed are {', '.join(PLANS)}, or a Plan")
        plan = PLANS[plan]
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit={limit!r}: allowed is None or a whole number, 1 or more")
    folder = Path(results or Path("results", plan.name))
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"results={str(folder)!r} is a file: allowed is a folder, old or new")
    rows = read_rows(folder)
    if cluster is None:
        make_rows = one_by_one
    else:
        from lrcore.cifar.cluster import on_ray  # Ray is not needed for anything else

        make_rows = functools.partial(on_ray, cluster)
    data = load(plan.data if data is None else data)
    refuse_short_runs(plan, data)
    refuse_strangers(plan, data, rows, folder)
    new_rows = make_rows(plan, folder, data)
    # the bar counts epochs of the whole plan, and so what other processes have made too
    done = sum(row["epochs"] for row in rows)
    # tqdm reads TQDM_DISABLE itself, but its bar for notebooks does not
    quiet = bool(os.environ.get("TQDM_DISABLE"))
    total = plan.all_epochs
    with (
        tqdm(total=total, initial=done, desc=plan.name, unit="epoch", disable=quiet) as bar,
        contextlib.closing(new_rows),
    ):
        for _ in itertools.islice(new_rows, limit):
            rows = read_rows(folder)
            bar.update(sum(row["epochs"] for row in rows) - bar.n)
    return read_rows(folder)


def one_by_one(plan, folder, data):
    """Make the missing runs in this process, and yield their rows."""
    data = data.to(best_device())
    while runs := missing(plan, folder):
        claimed = claim(runs, folder)
        if claimed is None:
            time.sleep(1)  # other processes are making all that is left
            continue
        run, lock = claimed
        with lock:
            row = make_row(plan, run, data)
            write_row(folder, run, row)
        yield row


def missing(plan, folder):
    """The runs of the plan that have no result, in order."""
    return [run for run in plan.runs(read_rows(folder)) if not result_file(folder, run).exists()]


def claim(runs, folder):
    """Return the first of `runs` that nobody is making, and its lock; None if there is none.

    The lock belongs to this process: the system takes it back however the process ends.
    """
    locks = folder / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    for run in runs:
        lock = FileLock(locks / run.name)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        if not result_file(folder, run).exists():  # or another process has just made it
            return run, lock
        lock.release()
    return None


def make_row(plan, run, data):
    """Make one run on the device of `data`, and return its row: all that is needed to repeat it."""
    entry = (DEFAULTS if run.experiment == "defaults" else FAIR)[run.scheduler]
    steps_an_epoch = len(data.train.labels) // plan.batch_size
    every = entry.every(run.epochs * steps_an_epoch, run.epochs)
    arguments = entry.arguments(run.epochs * steps_an_epoch // every, run.peak_lr)
    judge_on = "validation" if run.experiment == "tuning" else "test"
    device = data.train.labels.device
    precision = best_precision(device)
    start = time.perf_counter()
    outcome = train(
        data,
        lambda optimizer: entry.make(optimizer, **arguments),
        widths=plan.widths,
        stride=plan.stride,
        epochs=run.epochs,
        batch_size=plan.batch_size,
        lr=run.peak_lr,
        seed=run.seed,
        every=every,
        judge_on=judge_on,
        precision=precision,
    )
    return {
        "plan": plan.name,
        **run._asdict(),
        "made_by": getattr(entry.make, "__name__", str(entry.make)),
        "arguments": arguments,
        "scheduler_every": every,
        "judged_on": judge_on,
        "accuracy": outcome.accuracy,
        "cross_entropy": outcome.cross_entropy,
        "diverged_at": outcome.diverged_at,
        "losses": [round(loss, 5) for loss in outcome.losses],
        "lr": [float(f"{rate:.4g}") for rate in spread_out(outcome.lr)],
        "steps": len(outcome.lr),
        "widths": list(plan.widths),
        "stride": plan.stride,
        "batch_size": plan.batch_size,
        "momentum": MOMENTUM,
        "weight_decay": WEIGHT_DECAY,
        "data": data.name,
        "fingerprint": data.fingerprint,
        "device": device_name(device),
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "precision": str(precision).removeprefix("torch."),
        "lrcore": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seconds": round(time.perf_counter() - start, 2),
    }


def spread_out(values):
    """POINTS of the values, in equal distances, the first one included."""
    return [values[i * len(values) // POINTS] for i in range(POINTS)]


def device_name(device):
    """The GPU's name, or "CPU" and its architecture."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "CPU, " + platform.machine() if device.type == "cpu" else "Apple MPS"


def refuse_short_runs(plan, data):
    """Raise ValueError if a run of the plan has too few steps on this data."""
    shortest = min([*plan.defaults, *plan.tuning, *plan.fair], default=1)
    images = len(data.train.labels)
    steps = shortest * (images // plan.batch_size)
    if steps < MIN_STEPS:
        raise ValueError(
            f"batch_size={plan.batch_size}: in {shortest} epochs of {images} training images that "
            f"makes {steps} steps, needed are {MIN_STEPS}"
        )


def refuse_strangers(plan, data, rows, folder):
    """Raise ValueError if `folder` holds a result of another plan, network or data."""
    wanted = {
        "plan": plan.name,
        "widths": list(plan.widths),
        "stride": plan.stride,
        "batch_size": plan.batch_size,
        "fingerprint": data.fingerprint,
    }
    for row in rows:
        for name, value in wanted.items():
            found = row.get(name)
            if found != value:
                raise ValueError(
                    f"results={str(folder)!r} holds a run with {name} {found}: this plan and "
                    f"data have {value}. Name another folder"
                )


def result_file(folder, run):
    return folder / f"{run.name}.json"


def read_rows(folder):
    """The rows of all finished runs in `folder`, sorted by file name.

    Raises ValueError if a .json file there is not the result of the run that its name says.
    """
    files = sorted(Path(folder).glob("*.json"))
    return [dict(read_row(file, file.stat().st_mtime_ns)) for file in files]


@functools.lru_cache(maxsize=10_000)  # after each run all rows are asked for
def read_row(file, changed):
    """The row in a file that was last changed at that time."""
    try:
        row = json.loads(file.read_text())
        recorded = Run(*(row[name] for name in Run._fields)).name
    except (ValueError, KeyError, TypeError):
        recorded = None
    if recorded != file.stem or "accuracy" not in row:
        raise ValueError(f"{file} is not the result of a run with that name: move it elsewhere")
    return row


def write_row(folder, run, row):
    write_whole(result_file(folder, run), json.dumps(row, indent=1) + "\n")


def write_whole(path, text):
    """Write a file so that it is there whole or not at all, even if the power fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
