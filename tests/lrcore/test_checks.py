"""`check` accepts what is right, and says where and how the rest is wrong."""

import math

import numpy as np
import pytest
import torch

from lrcore import check, checks

RATES = [0.5, 0.5, 0.05, 0.05]


def verdict(capsys, *arguments, **options):
    """What check printed; `mistake` must say the same."""
    check(*arguments, **options)
    text = capsys.readouterr().out.strip()
    wrong = checks.mistake(*arguments, **options)
    assert text.startswith("Correct") if wrong == "" else text == "Not yet: " + wrong
    return text


def halve(t):
    return 0.5 ** (t + 1)


@pytest.mark.parametrize(
    "answer",
    [
        RATES,
        tuple(RATES),
        lambda t: RATES[t],
        lambda: RATES,
        list(torch.tensor(RATES, dtype=torch.float64)),
        torch.tensor(RATES),
        np.array(RATES),
        np.array(RATES, dtype=np.float32),
        [float(f"{rate:.6g}") for rate in RATES],
    ],
    ids="list tuple function run tensors float32 array array32 rounded".split(),
)
def test_right_rates(capsys, answer):
    assert verdict(capsys, answer, RATES) == "Correct: all 4 steps agree."


@pytest.mark.parametrize("answer", [0.25, 0.25 * (1 + 1e-12), torch.tensor(0.25), lambda t: 0.25])
def test_a_right_number(capsys, answer):
    assert verdict(capsys, answer, 0.25) == "Correct."


def test_whole_numbers(capsys):
    assert verdict(capsys, 30.0, 30) == "Correct."
    assert verdict(capsys, 31, 30) == "Not yet: expected 30, got 31."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([0.5, 0.5, 0.5, 0.05], "step 2: expected 0.05, got 0.5."),
        ([0.5, 0.4, 0.5, 0.5], "step 1: expected 0.5, got 0.4."),
        (lambda t: 0.5 if t else 0, "step 0: expected 0.5, got 0."),
        ([0.5, None, 0.05, 0.05], "step 1: expected 0.5, got None, which is no number."),
        ([0.5, "0.5", 0.05, 0.05], "step 1: expected 0.5, got '0.5', which is no number."),
        ([0.5, [0.5], 0.05, 0.05], "step 1: expected 0.5, got [0.5], which is no number."),
        ([0.5, 10**400, 0.05, 0.05], f"step 1: expected 0.5, got {10**400}, which is no number."),
        ([0.5, math.nan, 0.05, 0.05], "step 1: expected 0.5, got nan."),
        (lambda t: math.inf, "step 0: expected 0.5, got inf."),
        (lambda t: -math.inf, "step 0: expected 0.5, got -inf."),
        (lambda t: None, "step 0: expected 0.5, got None, which is no number."),
        (RATES[:3], "expected 4 rates, got 3."),
        ([*RATES, 0.005], "expected 4 rates, got 5."),
        ([0.4], "step 0: expected 0.5, got 0.4."),
        ([], "expected 4 rates, got 0."),
        (0.5, "expected 4 rates in a list, got 0.5."),
        (None, "expected 4 rates in a list, got None."),
        (..., "there is no answer yet in the place of the dots."),
        ([0.5, ..., 0.125, 0.0625], "there is no answer yet in the place of the dots."),
        (lambda: ..., "there is no answer yet in the place of the dots."),
        ("0.5", "expected 4 rates in a list, got '0.5'."),
        (np.array(0.5), "expected 4 rates in a list, got array(0.5)."),
        (np.array([0.5, 0.5, 0.5, 0.05]), "step 2: expected 0.05, got 0.5."),
        (lambda: RATES[:3], "expected 4 rates, got 3."),
        (lambda: RATES[9], "your function raised IndexError: list index out of range."),
        (lambda: None, "expected 4 rates in a list, got None."),
    ],
)
def test_wrong_rates_are_told_by_their_first_wrong_step(capsys, answer, said):
    assert verdict(capsys, answer, RATES) == "Not yet: " + said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (0.3, "expected 0.25, got 0.3."),
        (-0.25, "expected 0.25, got -0.25."),
        (None, "expected 0.25, got None, which is no number."),
        ("0.25", "expected 0.25, got '0.25', which is no number."),
        ([0.25], "expected 0.25, got [0.25], which is no number."),
        (math.nan, "expected 0.25, got nan."),
        (math.inf, "expected 0.25, got inf."),
        (torch.ones(2), "expected 0.25, got tensor([1., 1.]), which is no number."),
    ],
)
def test_a_wrong_number(capsys, answer, said):
    assert verdict(capsys, answer, 0.25) == "Not yet: " + said


def test_digits_that_matter_are_shown(capsys):
    said = "Not yet: step 0: expected 0.1, got 0.1000002."
    assert verdict(capsys, [0.1000002], [0.1]) == said


def test_different_numbers_never_look_the_same(capsys):
    wanted, got = 0.001824789012, 0.001824789012 * (1 + 1e-12)
    said = f"Not yet: step 0: expected {wanted!r}, got {got!r}."
    assert verdict(capsys, [got], [wanted], tolerance=0) == said


def test_tolerance_is_relative(capsys):
    assert verdict(capsys, [1e-5 * (1 + 1e-5)], [1e-5]).startswith("Not yet: step 0")
    assert verdict(capsys, [1e-5 * (1 + 1e-5)], [1e-5], tolerance=1e-4).startswith("Correct")
    assert verdict(capsys, 1.04, 1.0, tolerance=0.05) == "Correct."


def test_rounding_next_to_zero_is_no_mistake(capsys):
    # the end of a cosine: one way of writing it gives 0, another 1e-33, and float32 1e-8
    wanted = [(1 + math.cos(math.pi * t / 10)) / 2 for t in range(11)]
    assert wanted[10] == 0
    assert verdict(capsys, lambda t: math.cos(math.pi * t / 20) ** 2, wanted).startswith("Correct")
    steps = torch.arange(101)
    wanted = [0.5 * (1 + math.cos(math.pi * t / 100)) / 2 for t in range(101)]
    assert verdict(capsys, (1 + torch.cos(math.pi * steps / 100)) / 4, wanted).startswith("Correct")
    assert verdict(capsys, [1.0, 1e-6], [1.0, 0.0]) == "Not yet: step 1: expected 0, got 1e-06."


def test_steps_are_counted_from_where_the_rates_start(capsys):
    assert verdict(capsys, RATES, RATES, start=20) == "Correct: all 4 steps agree."
    said = "Not yet: step 21: expected 0.5, got 0.4."
    assert verdict(capsys, [0.5, 0.4, 0.5, 0.5], RATES, start=20) == said
    assert verdict(capsys, lambda t: RATES[t - 20], RATES, start=20).startswith("Correct")
    said = "Not yet: step 21: your function raised ZeroDivisionError: division by zero."
    assert verdict(capsys, lambda t: 0.5 if t < 21 else 1 / 0, RATES, start=20) == said


def test_only_infinity_equals_infinity(capsys):
    assert verdict(capsys, [math.inf], [math.inf]).startswith("Correct")
    assert verdict(capsys, [5.0], [math.inf]) == "Not yet: step 0: expected inf, got 5."
    diverging = [1.0, 2.0, math.inf]
    assert verdict(capsys, [1.0, 3.0, math.inf], diverging).startswith("Not yet: step 1")


class EqualToAll:
    """Claims to be whatever it is compared with."""

    def __eq__(self, other):
        return True

    __le__ = __lt__ = __ge__ = __gt__ = __eq__
    __hash__ = None

    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__

    def __repr__(self):
        return "0.5"


class FloatEqualToAll(EqualToAll, float):
    __hash__ = float.__hash__


def test_a_forged_equality_does_not_pass(capsys):
    said = "step 0: expected 0.5, got 0.5, which is no number."
    assert verdict(capsys, [EqualToAll()] * 4, RATES) == "Not yet: " + said
    assert verdict(capsys, EqualToAll(), 0.5) == "Not yet: " + said.removeprefix("step 0: ")
    assert verdict(capsys, FloatEqualToAll(9), 0.5) == "Not yet: expected 0.5, got 9."


def test_a_function_that_raises_is_told_by_its_step(capsys):
    def answer(t):
        if t == 2:
            raise KeyError("milestone")
        return RATES[t]

    said = "Not yet: step 2: your function raised KeyError: 'milestone'."
    assert verdict(capsys, answer, RATES) == said


def test_an_earlier_wrong_step_comes_before_the_error(capsys):
    def answer(t):
        return [0.5, 0.4][t]

    assert verdict(capsys, answer, RATES) == "Not yet: step 1: expected 0.5, got 0.4."


def test_ctrl_c_still_stops_a_function():
    def answer(t):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(answer, RATES)


def test_a_function_is_asked_once_for_each_step_in_order():
    asked = []
    check(lambda t: asked.append(t) or halve(t), [halve(t) for t in range(5)])
    assert asked == [0, 1, 2, 3, 4]


def test_it_needs_math_alone(root):
    """A page runs it, in a Python that has little else."""
    lines = (root / "lrcore" / "checks.py").read_text().splitlines()
    assert [line for line in lines if line.startswith(("import", "from"))] == ["import math"]
