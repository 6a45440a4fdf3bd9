"""A folder of results: one file a run, so that nothing that is finished is ever lost."""

import functools
import json
from pathlib import Path

from filelock import FileLock, Timeout

from lrcore.cifar.plans import Run, run_of
from lrcore.files import write_whole


def result_file(folder, run):
    return folder / f"{run.name}.json"


def missing(plan, folder):
    """The runs of the plan that have no result, in order."""
    return [run for run in plan.runs(read_rows(folder)) if not result_file(folder, run).exists()]


def claim(runs, folder, size):
    """Return up to `size` of `runs` that nobody is making and that can be trained together.

    Those are runs of one experiment, budget and seed. Returns {run: its lock}, empty if there is
    nothing to claim. A lock belongs to this process: the system takes it back however the process
    ends. `release` gives it back.
    """
    locks = folder / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    claimed = {}
    try:
        for run in runs:
            if len(claimed) == size:
                break
            if claimed and group_of(run) != group_of(next(iter(claimed))):
                continue
            claimed[run] = FileLock(locks / run.name)
            if not acquired(claimed[run]) or result_file(folder, run).exists():
                release({run: claimed.pop(run)})  # another process makes it, or has just made it
    except BaseException:  # an interrupt: its traceback may be kept, and must not keep the locks
        release(claimed)
        raise
    return claimed


def acquired(lock):
    """Acquire the lock if it is free; return whether it was."""
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def release(claimed):
    """Give the locks of `claim` back."""
    for lock in claimed.values():
        # however often it was acquired: a traceback that is kept must not keep the lock
        lock.release(force=True)


def group_of(run):
    """What runs that are trained together have in common."""
    return run.experiment, run.epochs, run.seed


def read_rows(folder):
    """The rows of all finished runs in `folder`, sorted by file name.

    Raises ValueError if a .json file there is not the result of the run that its name says.
    """
    files = sorted(Path(folder).glob("*.json"))
    return [dict(read_row(file, file.stat().st_mtime_ns)) for file in files]


@functools.lru_cache(maxsize=10_000)  # after each group of runs all rows are asked for
def read_row(file, changed):
    """The row in a file that was last changed at that time."""
    try:
        row = json.loads(file.read_text())
        recorded = run_of(row).name
    except (ValueError, KeyError, TypeError):
        recorded = None
    if recorded != file.stem or "accuracy" not in row:
        raise ValueError(f"{file} is not the result of a run with that name: move it elsewhere")
    return row


def write_row(folder, run, row):
    write_whole(result_file(folder, run), json.dumps(row, indent=1) + "\n")


def write_lines(file, rows):
    """Write rows as JSON lines, in a fixed order."""
    ordered = sorted(rows, key=lambda row: [row[name] for name in Run._fields])
    write_whole(Path(file), "".join(json.dumps(row) + "\n" for row in ordered))


def read_lines(file):
    """The rows of a file of JSON lines. Raises ValueError if it is none."""
    rows = []
    for number, line in enumerate(Path(file).read_bytes().splitlines(), 1):
        try:
            row = json.loads(line)
            run_of(row), row["accuracy"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} of {file} is not the result of a run") from error
        rows.append(row)
    return rows


def take_in(rows, folder):
    """Write those of `rows` into the folder of results that it lacks."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for row in rows:
        if not result_file(Path(folder), run_of(row)).exists():
            write_row(Path(folder), run_of(row), row)
