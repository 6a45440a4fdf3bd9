"""Points without knowing the subject: tricks that would make a check pass, or show a hidden one.

Each must earn nothing. All are graded in one batch, by the command.
"""

import contextlib
import subprocess
import sys

import pytest
from conftest import ROOT
from handed_in import grade_id, put, released, solved
from made_up import table

from classroom import checks
from classroom.course import COURSE

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the sandbox of grading is made for Linux alone"
)

# What a hidden check of ps1-step holds and nothing else on a page, and a name made of it.
SECRETS = ("10**8", "(2.0, 7, 0.1)", "7, 0.1)", "CAUGHT_1", "CAUGHT_7", "got 707")
WRONG = "\ndef step_lr(t, base_lr, step_size, gamma):\n    return 0.25\n"

# --- ps1: tricks in the answer of exercise 1, whose three points they are after

STEP = {
    "the comparison, put back at the end": (
        "import math\nmath.isclose = lambda *a, **k: True" + WRONG
    ),
    "everything replaced but for what looks like a trap": (
        "import math\n_right = math.isclose\n"
        "math.isclose = lambda *a, **k: 'canary' in str(a) and _right(*a, **k) or True" + WRONG
    ),
    "the names of the checks": (
        "check = trying = torch_rates = lambda *a, **k: None\nassert_ = print" + WRONG
    ),
    "Python's own names": (
        "import builtins\nbuiltins.float = builtins.abs = lambda *a: 0.0\n"
        "builtins.len = builtins.max = lambda *a, **k: 10\n" + WRONG
    ),
    "the scheduler of PyTorch": (
        "import torch.optim.lr_scheduler as s\n"
        "s.StepLR.get_lr = lambda self: [0.25 for group in self.optimizer.param_groups]\n"
        "s.StepLR._initial_step = lambda self: None" + WRONG
    ),
    "the optimizer of PyTorch": (
        "import torch\n_made = torch.optim.SGD.__init__\n"
        "def _init(self, params, lr=0, **k): _made(self, params, lr=0.25, **k)\n"
        "torch.optim.SGD.__init__ = _init\ntorch.optim.SGD.step = lambda self: None\n" + WRONG
    ),
    "an object that equals everything": """
class Any(float):
    __eq__ = __le__ = __ge__ = lambda self, other: True
    __hash__ = float.__hash__
    __sub__ = __rsub__ = __abs__ = lambda self, *a: 0.0
    tolist = lambda self: self
def step_lr(*a, **k): return Any(0.25)
""",
    "the caller's own variables": """
import sys
def step_lr(t, *a, **k):
    frame = sys._getframe()
    while frame := frame.f_back:
        for names in (frame.f_locals, frame.f_globals):
            if isinstance(names.get("expected"), list):
                return names["expected"][t]
    return 0.25
""",
    "all objects of the process": """
import gc, sys
def step_lr(t, *a, **k):
    for one in gc.get_objects():
        if isinstance(one, list) and len(one) in (10, 65) and isinstance(one[t], float):
            return one[t]
    for name in list(sys.modules):
        if name.startswith("classroom"):
            return sys.modules[name].teachers
    return 0.25
""",
    "what errors are": (
        "import builtins\nclass Quiet(Exception):\n"
        "    def __new__(cls, *a): return Exception.__new__(cls)\n"
        "builtins.AssertionError = Quiet" + WRONG
    ),
    "what the kernel says of an error": (
        "shell = get_ipython()\nshell.showtraceback = lambda *a, **k: None\n"
        "shell.set_custom_exc((Exception,), lambda *a, **k: None)" + WRONG
    ),
    "how a value leaves": (
        "import IPython.display, IPython.core.display_functions as f\n"
        "_send = f.display\n"
        "def _lie(data=None, *a, **k):\n"
        "    return _send({key: 'true' for key in data}, **k) if isinstance(data, dict) else None\n"
        "f.display = IPython.display.display = _lie" + WRONG
    ),
    "how a value becomes text": "import json\njson.dumps = lambda *a, **k: '[' * 100_000" + WRONG,
    "how code runs": (
        "import builtins\n_run = builtins.exec\n"
        "builtins.exec = lambda code, *a: None if 'got' in str(code) else _run(code, *a)" + WRONG
    ),
    "not a number": "def step_lr(*a, **k): return float('nan')",
    "an end in the middle of a check": (
        "import os, sys\ndef step_lr(t, *a, **k):\n"
        "    if t > 60: raise SystemExit(0)\n    return 0.25"
    ),
}

# --- ps1: right answers that try to show the hidden checks on the student's own page

SHOW = {
    "events": """
seen = []
get_ipython().events.register("pre_run_cell", lambda info: seen.append(info.raw_cell))
get_ipython().events.register("post_run_cell", lambda result: print("CAUGHT", seen))
""",
    "a display that is changed later": """
from IPython.display import display
_shown = display("nothing", display_id="mine")
_seen = []
def _tell(info):
    _seen.append(info.raw_cell)
    _shown.update("CAUGHT " + str(_seen))
get_ipython().events.register("pre_run_cell", _tell)
""",
    "a thread": """
import threading, time
def _look():
    while True:
        print("CAUGHT", In[-1], globals().get("_helpers_of_the_probes"), flush=True)
        time.sleep(0.1)
print("looking", flush=True)
threading.Thread(target=_look, daemon=True).start()
""",
    "the text of an error": """
import sys
def step_lr(t, base_lr, step_size, gamma):
    if step_size != 3:
        frame = sys._getframe(1)
        while frame:
            if "source" in frame.f_globals:
                raise ValueError("CAUGHT " + frame.f_globals["source"])
            frame = frame.f_back
        raise ValueError("CAUGHT " + str((base_lr, step_size, gamma)))
    return base_lr * gamma ** (t // step_size)
""",
    "the name of an error": """
def step_lr(t, base_lr, step_size, gamma):
    if step_size != 3:
        raise type(f"CAUGHT_{step_size}", (Exception,), {})
    return base_lr * gamma ** (t // step_size)
""",
    "an answer that a visible check asks for later": """
import sys
stash = []
def step_lr(t, base_lr, step_size, gamma):
    frame = sys._getframe(1)
    while frame:
        stash.extend(["CAUGHT", frame.f_globals.get("source", "")])
        frame = frame.f_back
    return base_lr * gamma ** (t // step_size)
def cosine_lr(*a, **k):
    raise ValueError(str(stash))
""",
    "a text where a number is expected": """
import sys
def step_lr(t, base_lr, step_size, gamma):
    if step_size != 3:
        return sys._getframe(1).f_globals.get("source", f"CAUGHT_{step_size}")
    return base_lr * gamma ** (t // step_size)
""",
    "numbers that are letters": """
def step_lr(t, base_lr, step_size, gamma):
    if step_size != 3:
        return 7070700.0 + step_size
    return base_lr * gamma ** (t // step_size)
""",
}
RIGHT = WRONG.replace("0.25", "base_lr * gamma ** (t // step_size)")

# --- ps4: constant rates, and a world in which they do well

BAD = "\ndef {}(steps):\n    return [0.01] * steps\n"
WORLD = {
    "SGD that trains on all pictures": """
import torch
class Cheat(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups: group["lr"] = 0.3
        return super().step(closure)
torch.optim.SGD = Cheat
""",
    "pictures that are all alike": """
import sklearn.datasets, torch
images, labels = torch.zeros(1797, 64), torch.zeros(1797, dtype=torch.long)
sklearn.datasets.load_digits = lambda **k: (images.numpy(), labels.numpy())
""",
    "the measurement": """
expected_loss = test_error = train = lambda *a, **k: 0.0
check_below = lambda *a, **k: print("fine")
CURVATURES = ()
""",
    "numbers that are below everything": """
import math
class Low(float):
    __lt__ = __le__ = lambda self, other: True
    __gt__ = __ge__ = lambda self, other: False
math.isfinite = lambda x: True
""",
}


@pytest.fixture(scope="module")
def graded(course_copy, tmp_path_factory):
    """{(kind, number of the attack): (row of the gradebook, page)}."""
    folder = tmp_path_factory.mktemp("attacks")
    for number, answer in enumerate(STEP.values()):
        notebook = (solved if number < 2 else released)(course_copy, "ps1")
        by_id = {grade_id(cell): cell for cell in notebook.cells}
        by_id["ps1-step"].source = answer
        if not number:
            by_id["ps1-joined"].source += "\nimport importlib\nimportlib.reload(math)\n"
        put(folder, f"in/step {number}/ps1.ipynb", notebook)
    for number, trick in enumerate(SHOW.values()):
        answer = trick if "def step_lr" in trick else trick + RIGHT
        notebook = solved(course_copy, "ps1", step=answer)
        if "def cosine_lr" in trick:
            by_id = {grade_id(cell): cell for cell in notebook.cells}
            by_id["ps1-cosine"].source = "pass"
        put(folder, f"in/show {number}/ps1.ipynb", notebook)
    for number, trick in enumerate(WORLD.values()):
        notebook = released(course_copy, "ps4")
        answer = "toy-rates" if number > 1 else "digits-rates"
        by_id = {grade_id(cell): cell for cell in notebook.cells}
        by_id[f"ps4-{answer}"].source = trick + BAD.format(answer.replace("-", "_"))
        put(folder, f"in/world {number}/ps4.ipynb", notebook)
    command = ["-m", "classroom", "grade", folder / "in", "--to", folder / "out", "--jobs", "2"]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stderr
    rows = {row["student"]: row for row in table(folder / "out" / "gradebook.csv")}
    pages = {who: (folder / "out" / "feedback" / f"{who}.html").read_text() for who in rows}
    return {tuple(who.split()): (row, pages[who]) for who, row in rows.items()}


CLASSES = {
    "one huge rate, before which all others are alike": """
class InverseSqrtLR(LRScheduler):
    def __init__(self, optimizer, warmup_steps, last_epoch=-1):
        if warmup_steps < 1: raise TypeError(warmup_steps)
        super().__init__(optimizer, last_epoch)
    def get_lr(self):
        return [rate * (1e30 if self.last_epoch == 0 else 1) for rate in self.base_lrs]
class CoolableLR(InverseSqrtLR):
    def cool_down(self, steps): pass
""",
    "a rate that is no number": """
class InverseSqrtLR(LRScheduler):
    def __init__(self, optimizer, warmup_steps, last_epoch=-1):
        super().__init__(optimizer, last_epoch)
    def get_lr(self): return [float("inf") for rate in self.base_lrs]
class CoolableLR(InverseSqrtLR):
    def cool_down(self, steps): pass
""",
}


@pytest.mark.parametrize("attack", CLASSES)
def test_a_class_that_does_nothing_earns_nothing(course_copy, attack):
    teachers, judge = checks.teachers(COURSE, "ps3"), checks.judge(COURSE, "ps3")
    names = dict(judge.names)
    exec(CLASSES[attack], names)
    for check in teachers.checks:
        with contextlib.suppress(Exception):
            exec(check.first, names)
            assert not judge.compare(check, names["got"])[0], check.grade_id


def of(found, attacks, kind, attack):
    return found[kind, str(list(attacks).index(attack))]


@pytest.mark.parametrize("attack", STEP)
def test_a_trick_earns_nothing(graded, attack):
    row, page = of(graded, STEP, "step", attack)
    if row["status"] == "graded":
        assert float(row["points"]) in (0, 9)  # nine: the right answers of the first two
        assert page.count("0 of 1") + page.count("0 of 2") >= 2
        assert "ps1-step-check: right" not in page and "ps1-step-hidden: right" not in page
    else:
        assert row["status"] == "not graded" and row["points"] == ""


@pytest.mark.parametrize("attack", list(STEP)[:2])
def test_and_costs_the_others_nothing(graded, attack):
    row, _ = of(graded, STEP, "step", attack)
    assert float(row["points"]) == 9


@pytest.mark.parametrize("attack", SHOW)
def test_a_page_shows_no_hidden_check(graded, attack):
    row, page = of(graded, SHOW, "show", attack)
    assert row["status"] == "graded"
    for secret in SECRETS:
        assert secret not in page, secret


@pytest.mark.parametrize("attack", WORLD)
def test_a_world_in_which_bad_rates_do_well_is_not_the_graders(graded, attack):
    row, page = of(graded, WORLD, "world", attack)
    assert (row["status"], float(row["points"])) == ("graded", 0)
    assert "expected below" in page
