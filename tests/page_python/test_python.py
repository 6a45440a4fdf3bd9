"""The page's Python against CPython with the real torch: exercises, schedules, words for errors.

It runs in Node here, in the very script that a page loads: `test_exercises` types into pages.
"""

import json
import random
import re
import shutil
import subprocess

import pytest
from conftest import ROOT
from student_answers import all_answers, all_exercises, cells, exercises_of, solved, told
from torch.optim import lr_scheduler, swa_utils

import lrcore
from book.page_python import bundle
from book.page_python.exercises import for_page
from lrcore import toy, trace


@pytest.fixture(scope="module")
def in_page(tmp_path_factory):
    """A function: what the page tells of each of some lists of cells."""
    folder = tmp_path_factory.mktemp("runtime")
    bundle.write(folder, folder / "scratch")
    node = shutil.which("node", path=bundle.path_with_node())
    runner = [node, ROOT / "tests/page_python/in_node.js", folder / bundle.RUNTIME]
    runner.append(ROOT / "book/static/page_python.js")

    def run(lists):
        asked = json.dumps([list(one) for one in lists])
        done = subprocess.run(runner, input=asked, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return run


def page_cells(exercise, text):
    """As `cells`, with what the page has of the chapter."""
    return [("before", for_page(exercise)["before"]), *cells(exercise, text)[1:]]


def test_every_exercise_says_what_cpython_says(in_page):
    asked = [
        (chapter, exercise, text)
        for chapter, exercise in all_exercises()
        if not exercise.colab
        for text in (exercise.starter, solved(exercise))
    ]
    assert len(asked) > 120
    answers = in_page([page_cells(exercise, text) for _, exercise, text in asked])
    for (chapter, exercise, text), answer in zip(asked, answers, strict=True):
        assert answer["told"] == told(exercise, text), (chapter, exercise.number, text)
        correct = re.search("^Correct", answer["told"], re.M) and "Not yet" not in answer["told"]
        assert bool(correct) == (text != exercise.starter), (
            chapter,
            exercise.number,
            answer["told"],
        )


def test_every_answer_is_told_what_cpython_tells(in_page):
    asked = [(answer, exercises_of(answer.chapter)[answer.number]) for answer in all_answers()]
    asked = [(answer, exercise) for answer, exercise in asked if not exercise.colab]
    answers = in_page([page_cells(exercise, answer.text) for answer, exercise in asked])
    for (answer, exercise), given in zip(asked, answers, strict=True):
        if answer.colab:
            assert "Colab" in given["told"], answer
        elif answer.right:
            assert given["told"] == told(exercise, answer.text), answer
        else:
            assert answer.says in given["told"], (answer, given["told"])


# ---------------------------------------------------------------------- schedules

RATES = """
import math
from torch.optim.lr_scheduler import *
from torch.optim.swa_utils import SWALR
from lrcore import WarmupRestarts, toy, trace
made = {call}
print([made.lr, made.momentum])
"""


def calls(seed):
    """Calls of trace for all schedulers, with random parameters, as source."""
    draw = random.Random(seed)
    low, high = draw.uniform(0.001, 0.05), draw.uniform(0.06, 0.5)
    gamma, start = draw.uniform(0.5, 1), draw.uniform(0.01, 1)
    some, more = draw.randint(1, 30), draw.randint(2, 60)
    milestones = sorted(draw.choices(range(1, 90), k=4))
    anneal = draw.choice(["cos", "linear"])
    mode = draw.choice(["triangular", "triangular2", "exp_range"])
    return [
        f"trace(LambdaLR, 100, lr_lambda=lambda t: {gamma!r} ** t)",
        f"trace(MultiplicativeLR, 100, lr_lambda=lambda t: {gamma!r})",
        f"trace(StepLR, 100, step_size={some}, gamma={gamma!r})",
        f"trace(MultiStepLR, 100, milestones={milestones}, gamma={gamma!r})",
        f"trace(ConstantLR, 100, factor={start!r}, total_iters={some})",
        f"trace(LinearLR, 100, start_factor={start!r}, total_iters={some})",
        f"trace(ExponentialLR, 100, gamma={gamma!r})",
        f"trace(PolynomialLR, 100, total_iters={more}, power={draw.uniform(0.3, 3)!r})",
        f"trace(CosineAnnealingLR, 100, T_max={more}, eta_min={low!r})",
        f"trace(CosineAnnealingWarmRestarts, 100, T_0={some}, T_mult={draw.randint(1, 3)})",
        f"trace(CyclicLR, 100, base_lr={low!r}, max_lr={high!r}, step_size_up={some}, "
        f"mode={mode!r}, gamma={gamma!r})",
        f"trace(OneCycleLR, 100, max_lr={high!r}, total_steps=100, anneal_strategy={anneal!r}, "
        f"pct_start={draw.uniform(0.1, 0.9)!r}, three_phase={draw.random() < 0.5})",
        f"trace(SWALR, 100, swa_lr={low!r}, anneal_epochs={some}, anneal_strategy={anneal!r})",
        f"trace(WarmupRestarts, 100, T_0={more + 5}, T_up=3, gamma={gamma!r})",
        "trace(ReduceLROnPlateau, 100, metrics=[toy.validation_loss(t) for t in range(100)], "
        f"patience={draw.randint(0, 9)}, factor={gamma / 2!r})",
        f"trace(lambda o: SequentialLR(o, [LinearLR(o, {start!r}, total_iters=10), "
        "CosineAnnealingLR(o, 90)], [10]), 100)",
        f"trace(lambda o: ChainedScheduler([ConstantLR(o, {start!r}, {some}), "
        f"ExponentialLR(o, {gamma!r})]), 100)",
    ]


def test_schedules_are_those_of_the_real_torch(in_page):
    asked = [call for seed in range(5) for call in calls(seed)]
    names = {**vars(lr_scheduler), **vars(swa_utils), **vars(lrcore), "toy": toy, "trace": trace}
    names["WarmupRestarts"] = lrcore.WarmupRestarts
    answers = in_page([[("answer", RATES.format(call=call))] for call in asked])
    classes = set()
    for call, answer in zip(asked, answers, strict=True):
        assert not answer["error"], (call, answer["told"])
        rates, momenta = json.loads(answer["told"])
        wanted = eval(call, names)
        assert rates == pytest.approx(wanted.lr, rel=1e-12, abs=1e-15), call
        assert momenta == pytest.approx(wanted.momentum, rel=1e-12), call
        classes |= {name for name in lr_scheduler.__all__ if name in call}
    assert classes == set(lr_scheduler.__all__) - {"LRScheduler"}


# ---------------------------------------------------------------------- words

MISTAKES = [
    "x = 1\ny = x / 0",
    "def f(t):\n    return 1 / t\nf(0)",
    "print(undefined)",
    "rates = [1]\nrates[3]",
    "{}['a']",
    "'a' + 1",
    "None * 0.5",
    "[1] / 2",
    "None < 1",
    "[0.5] + 0.1",
    "x = 3\nx()",
    "x = None\nx[0]",
    "for t in 5:\n    pass",
    "[].nothing",
    "def f(t):\n    return t\n\nf(1, 2, 3)",
    "raise ValueError('said')",
    "int('x1')",
    "def f():\n    return g()\ndef g():\n    return 1 / 0\nf()",
    "from lrcore import trace\nfrom torch.optim.lr_scheduler import OneCycleLR\n"
    "trace(OneCycleLR, 101, max_lr=0.1, total_steps=100)",
]
# where the words differ, the line does not
LINES = [
    "from math import nothing",
    "from torch.optim.lr_scheduler import StepLR\nimport torch\n"
    "StepLR(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1))",
    "def f():\n    x = x + 1\n\nf()",
    "x = 1\nif x\n    y = 2",
    "def f(:\n    pass",
    "if True:\n  x = 1\n   y = 2",
]


class Empty:
    context = ""


def test_errors_are_told_in_the_words_of_cpython(in_page):
    for text, given in zip(MISTAKES, in_page([[("answer", t)] for t in MISTAKES]), strict=True):
        assert given["told"] == told(Empty, text), text


def test_errors_are_told_with_their_line(in_page):
    for text, given in zip(LINES, in_page([[("answer", t)] for t in LINES]), strict=True):
        assert given["told"].split(":")[0] == told(Empty, text).split(":")[0], (text, given["told"])


def test_what_a_page_lacks_is_said(in_page):
    asked = ["import numpy as np", "import torch\ntorch.cos(1)", "from torch import nothing"]
    for given in in_page([[("answer", text)] for text in asked]):
        assert "open the chapter in Colab" in given["told"], given


def test_what_was_compared_is_there_to_be_drawn(in_page):
    start = "from lrcore import check, compared_as_json\n"
    asked = {
        "check(lambda t: t / 4, [0.0, 0.5])": [[0.0, 0.25], [0.0, 0.5]],
        "check([0.5, float('nan')], [0.5, 0.5])": [[0.5, None], [0.5, 0.5]],
        "check(3, 4)": None,
        "check(None, [1.0])": None,
        "check(lambda t: 1 / 0, [1.0])": None,
    }
    found = in_page([[("answer", start + c + "\n_result = compared_as_json()")] for c in asked])
    assert [json.loads(answer["result"]) for answer in found] == list(asked.values())
