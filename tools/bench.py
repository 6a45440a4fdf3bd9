"""Measure what the book promises on speed and size: python tools/bench.py [BUILT_BOOK].

Prints one table and a verdict; the exit status is 1 if a goal was missed. Both sides of a ratio are
measured in this run, by turns, so that a slow or busy machine slows both.
"""

import ast
import inspect
import io
import shutil
import statistics
import subprocess
import sys
import time
from functools import partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import bench_cifar
import nbformat
from bench_pages import arrivals, page_moves, page_python
from matplotlib import rc_context
from matplotlib.figure import Figure
from nbclient import NotebookClient
from repository import is_set_up
from torch.optim.lr_scheduler import MultiplicativeLR, ReduceLROnPlateau, StepLR
from tqdm import tqdm

from classroom.batch import grade_folder
from classroom.course import COURSE
from lrcore import explore, toy
from lrcore.explorer import FORMULAS, live
from lrcore.plotting import STYLE
from lrcore.tracing import trace_steps

ROOT = Path(__file__).resolve().parent.parent
MOVES = 120  # of each explorer in a page
FRAME = 0.0083  # seconds, at 120 Hz: a move of a slider must not cost a frame
STEPS = 10_000
FASTER = 20  # times, a formula than torch
RUNS = 3  # of torch, each in so many parts that one takes as long as a formula that meets the goal:
PARTS = FASTER  # a busy machine interrupts both alike
# They have no closed form: for one rate they take as many steps as torch's loop.
LOOPS = (MultiplicativeLR, ReduceLROnPlateau)


class Row(NamedTuple):
    what: str
    measured: float
    baseline: float
    goal: float | None = None  # the largest good ratio; None: for information
    faster: bool = False  # instead: how many times faster than the baseline, and the least of it
    unit: str = "s"


def seconds(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def medians(repeats, *actions):
    """Seconds that each action takes: they take turns, and the median over the turns counts."""
    turns = [[seconds(action) for action in actions] for _ in range(repeats)]
    return [statistics.median(taken) for taken in zip(*turns, strict=True)]


def median_turn(repeats, ours, theirs):
    """Seconds that both take in the turn whose ratio is the median.

    For actions of milliseconds: a clock that changes many times a second may be slow in most turns
    of one and fast in most of the other.
    """
    turns = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    return sorted(turns, key=lambda turn: turn[0] / turn[1])[repeats // 2]


def page_rows(pages):
    def p95(milliseconds):
        return statistics.quantiles(milliseconds, n=20)[-1] / 1000

    times = page_moves(pages, MOVES)
    rows = []
    for name, found in times.items():
        median = statistics.median(found["work"])
        what = f"page: move to repaint, p95 (median {median:.1f} ms), {name}"
        rows.append(Row(what, p95(found["work"]), FRAME, 1))
    moved = [x for found in times.values() for x in found["two_frames"]]
    still = [x for found in times.values() for x in found["no_move"]]
    what = f"page: move to second frame, p95 of {len(moved)}, against no move"
    return [*rows, Row(what, p95(moved), p95(still))]


def arrival_rows(pages):
    """The slowest and the heaviest page with sliders, as a slow phone gets them.

    The playground is a row without a goal: its sliders are those of code that Python reads first.
    """
    book = pages[0].parent.parent
    came = arrivals(book, [page.relative_to(book).as_posix() for page in pages])
    playground = {name: came.pop(name) for name in list(came) if Path(name).stem == "playground"}
    rows = []
    for what, unit, goal, value in (
        ("to the first slider", "s", 2.5, lambda page: page.seconds or 0),
        ("sent before it", "kB", 400, lambda page: page.early / 1000 if page.seconds else 0),
        ("shift of the layout", "", 0.05, lambda page: page.shift),
    ):
        worst = max(came.items(), key=lambda item: value(item[1]))
        for (name, page), wanted in ((worst, goal), *((one, None) for one in playground.items())):
            text = f"page on a slow phone: {what}, {Path(name).stem}"
            rows.append(Row(text, value(page), goal, wanted and 1, unit=unit))
    return rows


def python_rows(pages):
    """Medians: the first of a page pays for what is loaded, a later one for itself."""
    found = page_python(pages[0].parent.parent)
    middle = {name: statistics.median(getattr(found, name)) / 1000 for name in found._fields[:3]}
    return [
        Row("Python in the page: first click to answer, from disk", middle["first"], 0.3, 1),
        Row("Python in the page: later checks", middle["later"], 0.06, 1),
        Row("Python in the page: the playground's redraw, 100 steps", middle["redraw"], 0.016, 1),
        Row("Python in the page: sent, without the editor", found.sent / 1000, 300, 1, unit="kB"),
    ]


def live_rows():
    explorer = explore(StepLR, lr=(0.1, 1.0, 0.1), step_size=(5, 50, 5))
    live.show(explorer)
    slider = explorer.widgets["step_size"]
    curves = explorer.curves(explorer.start)
    rate, loss = explorer.panels

    def move():
        slider.value = 5 + slider.value % 50

    def bare():
        with rc_context(STYLE):
            figure = Figure(figsize=(7.2, 2.9))
            left, right = figure.subplots(1, 2)
            left.plot(curves.rate)
            left.set(xlabel="optimizer step", ylabel="learning rate", ylim=(0, rate.high))
            right.plot(curves.loss)
            right.set(xlabel="optimizer step", ylabel="expected loss", yscale="log")
            right.set_ylim(loss.low, loss.high)
            figure.savefig(io.BytesIO(), format="png")

    moved, drawn = medians(25, move, bare)
    return [Row("kernel: move (torch, picture, words), against that bare figure", moved, drawn)]


def factor(t):
    return 0.9 if t % 10 == 0 else 1.0


PARAMETERS = {
    "LambdaLR": {"lr_lambda": factor},
    "MultiplicativeLR": {"lr_lambda": factor},
    "StepLR": {"step_size": 30, "gamma": 0.99},
    "MultiStepLR": {"milestones": [1000, 5000]},
    "ConstantLR": {"total_iters": 5000},
    "LinearLR": {"total_iters": 5000},
    "ExponentialLR": {"gamma": 0.999},
    "PolynomialLR": {"total_iters": 5000, "power": 2.0},
    "CosineAnnealingLR": {"T_max": 1000},
    "CosineAnnealingWarmRestarts": {"T_0": 100, "T_mult": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": STEPS},
    "ReduceLROnPlateau": {"patience": 5},
    "SWALR": {"swa_lr": 0.01, "anneal_epochs": 5000},
    "WarmupRestarts": {"T_0": 100, "T_mult": 2, "T_up": 10},
}


def formula_rows():
    return [
        formula_row(scheduler, formula)
        for scheduler, formula in tqdm(FORMULAS.items(), "formulas", leave=False)
    ]


def formula_row(scheduler, formula):
    params = PARAMETERS[scheduler.__name__]
    given = dict(params)
    if "base_lr" in inspect.signature(formula).parameters:
        given.setdefault("base_lr", 0.1)
    metrics = None
    if scheduler is ReduceLROnPlateau:
        metrics = given["metrics"] = [toy.validation_loss(t) for t in range(STEPS)]
    # Written out, as in a program: partial() takes longer to call a formula than some formulas take
    arguments = ", ".join(f"{name}={name}" for name in given)
    what, code = f"{STEPS} steps, against stepping torch", "[formula(t, {}) for t in range(steps)]"
    if scheduler in LOOPS:
        what, code = f"one call, against torch's loop of {STEPS} steps", "formula(steps - 1, {})"
    names = {"formula": formula, "steps": STEPS, **given}
    ours = partial(eval, compile(code.format(arguments), "<formula>", "eval"), names)
    # WarmupRestarts, which torch lacks, is stepped for its formula. It calls the formula itself
    # once a step, and that adds 1 to its ratio.
    runs = (trace_steps(scheduler, STEPS, 0.1, metrics, 1, params) for _ in range(RUNS))
    stepped = chain.from_iterable(runs)
    taken, part = median_turn(RUNS * PARTS, ours, lambda: list(islice(stepped, STEPS // PARTS)))
    return Row(f"formula: {formula.__name__}, {what}", taken, PARTS * part, FASTER, True)


def run_python(code):
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def import_rows():
    ours = partial(run_python, "from lrcore import *")
    others = partial(run_python, "import torch, matplotlib.pyplot, ipywidgets")
    what = "all names of lrcore imported, against torch, matplotlib.pyplot and ipywidgets"
    return [Row(what, *medians(5, ours, others), 1.2)]


def training_rows():
    setup, data = bench_cifar.settings()
    steps = len(data.train.labels) // setup.batch_size
    loops = (bench_cifar.ours, bench_cifar.bare, bench_cifar.copied)
    actions = [partial(loop, setup, data, steps) for loop in loops]
    multiply, worth = bench_cifar.arithmetic(setup, data)
    actions[0]()  # the first steps of a process are slower
    *times, products = medians(5, *actions, multiply)
    ours, bare, copied = (seconds / steps for seconds in times)
    floor = products / worth
    device = data.train.labels.device.type
    step = f"training step, {device}:"
    epoch = 45_000 // setup.batch_size
    return [
        Row(f"{step} ours, against a bare loop", ours, bare, 1.03),
        Row(f"{step} ours, against a DataLoader with transforms", ours, copied, faster=True),
        Row(f"{step} an epoch, against its arithmetic", ours * epoch, floor * epoch),
    ]


def only_imports(notebook):
    """A notebook with all the imports of this one in a single cell."""
    code = "\n".join(
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and not is_set_up(cell)  # it is not Python alone
    )
    found = [n for n in ast.walk(ast.parse(code)) if isinstance(n, (ast.Import, ast.ImportFrom))]
    cell = nbformat.v4.new_code_cell("\n".join(map(ast.unparse, found)))
    return nbformat.v4.new_notebook(cells=[cell])


def chapters():
    return [nbformat.read(path, 4) for path in sorted((ROOT / "chapters").glob("*.ipynb"))]


def execute(notebooks):
    place = {"metadata": {"path": ROOT / "chapters"}}
    for notebook in tqdm(notebooks, "kernels", leave=False):
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()


def execute_chapters():
    """As `make execute` and `make notebooks` do, with forked kernels."""
    forked = [sys.executable, "tools/forked_kernels.py", sys.executable, "-c"]
    code = "import sys; sys.path.insert(0, 'tools'); import bench; bench.execute(bench.chapters())"
    subprocess.run([*forked, code], check=True, cwd=ROOT)


def execution_rows():
    bare = [only_imports(notebook) for notebook in chapters()]
    # once: minutes each, and a sum over so many kernels is steady
    times = medians(1, execute_chapters, partial(execute, bare))
    what = f"executing {len(bare)} chapters, against as many kernels with their imports"
    return [Row(what, *times, 1.5)]


def grading_rows():
    """A batch of right answers, two at once: with the sandbox, and with all that is done once."""
    students = 30
    with TemporaryDirectory() as folder:
        for number in range(students):
            student = Path(folder, "collected", f"student {number}")
            student.mkdir(parents=True)
            shutil.copy(COURSE / "source" / "ps1" / "ps1.ipynb", student)
        start = time.perf_counter()
        rows = grade_folder(Path(folder, "collected"), Path(folder, "grades"), jobs=2)
        taken = time.perf_counter() - start
    assert all(row["status"] == "graded" and row["points"] == row["of"] for row in rows)
    return [Row("grading: each submission of a batch, against 3 seconds", taken / students, 3, 1)]


def amount(number, unit):
    if unit == "s" and number < 1:
        number, unit = 1000 * number, "ms"
    return f"{number:.3g} {unit}"


def ratio(row):
    return row.baseline / row.measured if row.faster else row.measured / row.baseline


def is_met(row):
    return ratio(row) >= row.goal if row.faster else ratio(row) <= row.goal


def show(rows):
    for row in rows:
        measured, baseline = amount(row.measured, row.unit), amount(row.baseline, row.unit)
        line = f"{row.what:<78} {measured:>9} {baseline:>9} {ratio(row):6.3g}"
        if row.goal is not None:
            sign = ">=" if row.faster else "<="
            line += f" {sign} {row.goal:>4} {'ok' if is_met(row) else 'MISSED'}"
        print(line, flush=True)


def verdict(rows):
    """Print which goals were missed. Returns the exit status."""
    goals = [row for row in rows if row.goal is not None]
    missed = [row for row in goals if not is_met(row)]
    if not missed:
        print(f"Verdict: all {len(goals)} goals met.")
        return 0
    print(f"Verdict: {len(missed)} of {len(goals)} goals missed:")
    show(missed)
    return 1


def main(arguments):
    book = Path(arguments[0]).resolve() if arguments else ROOT / "_build" / "html"
    pages = sorted((book / "chapters").glob("*.html"))
    if not pages:
        sys.exit(f"There are no chapters in {book}: run make book")
    print(f"{'what':<78} {'measured':>9} {'baseline':>9} {'ratio':>6} {'goal':>7}")
    rows = []
    for measure in (
        partial(page_rows, pages),
        partial(arrival_rows, pages),
        partial(python_rows, pages),
        live_rows,
        formula_rows,
        training_rows,
        import_rows,
        grading_rows,
        execution_rows,
    ):
        found = measure()
        show(found)
        rows += found
    return verdict(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
