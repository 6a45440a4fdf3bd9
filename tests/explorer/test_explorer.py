"""`explore`: its arguments, its errors, its curves, its code and its page (without a browser)."""

import functools
import math
import re
import sys
from importlib.util import find_spec

import ipywidgets
import pytest
import torch
from ipywidgets import fixed
from programs import run_program
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.optim.swa_utils import SWALR

from lrcore import explore, toy, trace
from lrcore.explorer import FORMULAS, MOMENTUM_FORMULAS, live, model
from lrcore.explorer.model import ends, first_difference, options, summary
from lrcore.explorer.page import html as page_of
from lrcore.formulas import cosine_annealing_lr, linear_lr
from lrcore.plotting import embedded, panels_png
from lrcore.schedulers import WarmupRestarts

# ---------------------------------------------------------- functions that students might write


def slow_decay(t):
    return 0.99**t


def half_wave(t):
    return 0.5 * (1 + math.cos(math.pi * t / 100))


def always(t):
    return 0.95


WARM_UP = 10


def warm_up_then_cosine(optimizer, T_max, eta_min=0.01):
    climb = LinearLR(optimizer, start_factor=0.1, total_iters=WARM_UP)
    fall = CosineAnnealingLR(optimizer, T_max=T_max, eta_min=eta_min)
    return SequentialLR(optimizer, [climb, fall], milestones=[WARM_UP])


def warm_up_then_cosine_lr(t, base_lr, T_max, eta_min=0.01):
    if t < WARM_UP:
        return linear_lr(t, base_lr, 0.1, 1.0, WARM_UP)
    return cosine_annealing_lr(t - WARM_UP, base_lr, T_max, eta_min)


def constant(optimizer):
    return ConstantLR(optimizer, factor=1.0)


def dipping_metric(t, depth=0.5):
    return 1 - depth * t / (t + 10)


# Every scheduler with a formula: the controls of an explorer, and values off their starts.
EXPLORERS = {
    LambdaLR: ({"lr_lambda": [slow_decay, half_wave]}, {"lr_lambda": half_wave}),
    MultiplicativeLR: ({"lr_lambda": [slow_decay, always]}, {"lr_lambda": always}),
    StepLR: ({"step_size": (5, 50, 5), "gamma": (0.1, 0.9, 0.1)}, {"step_size": 10, "gamma": 0.7}),
    MultiStepLR: ({"milestones": {"two": [30, 60], "three": (5, 5, 9)}}, {"milestones": (5, 5, 9)}),
    ConstantLR: ({"factor": (0.1, 1.0, 0.1), "total_iters": (1, 99)}, {"factor": 0.4}),
    LinearLR: ({"start_factor": (0.1, 1.0, 0.1), "end_factor": (0.0, 1.0, 0.1)}, {"lr": 2.0}),
    ExponentialLR: ({"gamma": (0.8, 1.0, 0.01)}, {"gamma": 0.97}),
    PolynomialLR: ({"total_iters": (10, 90, 10), "power": (0.5, 4, 0.5)}, {"power": 3.5}),
    CosineAnnealingLR: ({"T_max": (10, 200, 10), "eta_min": (0, 0.1, 0.01)}, {"T_max": 30}),
    CosineAnnealingWarmRestarts: ({"T_0": (5, 50), "T_mult": (1, 3)}, {"T_0": 7, "T_mult": 2}),
    CyclicLR: (
        {
            "base_lr": (0.0, 0.1, 0.01),
            "max_lr": (0.2, 2.0, 0.1),
            "step_size_up": (5, 50, 5),
            "mode": ["triangular", "triangular2", "exp_range"],
            "gamma": 0.98,
        },
        {"mode": "exp_range", "step_size_up": 15},
    ),
    OneCycleLR: (
        {"max_lr": (0.1, 2.0, 0.1), "total_steps": 100, "three_phase": False},
        {"three_phase": True, "max_lr": 0.7},
    ),
    ReduceLROnPlateau: (
        {"metrics": toy.validation_loss, "patience": (0, 20), "jump": (0.0, 0.5, 0.1)},
        {"patience": 3, "jump": 0.3},
    ),
    SWALR: ({"swa_lr": (0.01, 0.1, 0.01), "anneal_strategy": ["cos", "linear"]}, {"swa_lr": 0.02}),
    WarmupRestarts: ({"T_0": (20, 50), "T_up": (0, 10), "gamma": (0.5, 1, 0.1)}, {"T_up": 4}),
    warm_up_then_cosine: (
        {"formula": warm_up_then_cosine_lr, "T_max": (20, 90, 10)},
        {"T_max": 40, "lr": 1.0},
    ),
}


def make(scheduler):
    return explore(scheduler, **{"lr": (0.1, 2.0, 0.1), **EXPLORERS[scheduler][0]})


@functools.cache
def made(scheduler):
    """An explorer, its page, and two settings of it: the start and another."""
    explorer = make(scheduler)
    settings = [explorer.start, {**explorer.start, **EXPLORERS[scheduler][1]}]
    return explorer, page_of(explorer), settings


# Colab, and so .venv-colab, has no PScript: there is no page there. `make unit` has it.
of_the_page = pytest.mark.skipif(find_spec("pscript") is None, reason="PScript is not installed")
every_scheduler = pytest.mark.parametrize("scheduler", EXPLORERS, ids=lambda s: s.__name__)


def test_every_formula_has_its_explorer_here():
    assert set(FORMULAS) <= set(EXPLORERS)


@every_scheduler
def test_curves_are_what_trace_gives(scheduler):
    explorer, _, settings = made(scheduler)
    for values in settings:
        metrics = explorer.metrics(values)
        of_others = ("lr", "steps", "batch_size", "jump")
        params = {name: value for name, value in values.items() if name not in of_others}
        traced = trace(scheduler, lr=values["lr"], metrics=metrics, **params)
        curves = explorer.curves(values)
        assert curves.error is None
        assert curves.rate == traced.lr
        assert curves.momentum == (traced.momentum if scheduler in MOMENTUM_FORMULAS else None)
        assert curves.metric == metrics
        assert curves.loss == toy.expected_losses(traced.lr)
        assert curves.path is None  # nobody asked for it
    assert settings[0] != settings[1]
    assert explorer.curves(settings[0]).rate != explorer.curves(settings[1]).rate


@every_scheduler
def test_the_code_gives_the_curve(scheduler):
    explorer, _, settings = made(scheduler)
    for values in settings:
        rows = printed_by(explorer.code(values))
        curves = explorer.curves(values)
        # without momentum, which no rate depends on
        assert first_difference([rate for rate, *_ in rows], curves.rate) is None
        if curves.momentum:
            assert first_difference([momentum for _, momentum in rows], curves.momentum) is None


def printed_by(program):
    """The numbers that the program prints of each step; it must end well."""
    rows, error = run_program(program)
    assert error is None, error
    return rows


def test_the_code_steps_the_scheduler_as_often_as_chosen():
    explorer = explore(StepLR, steps=60, step_size=2, gamma=0.5, every=[1, 4, 10])
    for every in (1, 4, 10):
        values = {**explorer.start, "every": every}
        rates = [rate for (rate,) in printed_by(explorer.code(values))]
        assert rates == explorer.curves(values).rate
        assert rates == trace(StepLR, 60, every=every, step_size=2, gamma=0.5).lr
        assert rates.index(0.25) == 2 * every


def test_a_batch_divides_the_noise_of_the_toy_and_nothing_else():
    explorer = explore(StepLR, step_size=9, batch_size=[1, 4], path=True)
    one, four = (explorer.curves({**explorer.start, "batch_size": size}) for size in (1, 4))
    assert one.rate == four.rate
    assert one.loss == toy.expected_losses(one.rate)
    assert four.loss == toy.expected_losses(one.rate, noise_variance=toy.NOISE_VARIANCE / 4)
    assert four.path == toy.noisy_path(one.rate, noise_variance=toy.NOISE_VARIANCE / 4)
    assert "a batch of 4 examples" in explorer.code({**explorer.start, "batch_size": 4})
    assert "examples" not in explore(StepLR, step_size=9).code(explorer.start)


@of_the_page
@every_scheduler
def test_the_page_stands_alone_and_never_changes(scheduler):
    _, page, _ = made(scheduler)
    assert page == page_of(make(scheduler))
    assert set(re.findall(r"https?://[^\"'\s)]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"(?:src|href)=[\"'](?!data:)", page)
    assert not re.search(r"0x[0-9a-f]{6}", page)  # the address of an object
    assert len(page) < 150_000


@of_the_page
@every_scheduler
def test_every_control_of_the_page_is_labelled(scheduler):
    explorer, page, _ = made(scheduler)
    rows = re.findall(r"<div class=\"lr-row\">(.*?)</div>", page, re.S)
    found = [re.search(r"<(?:input|select)[^>]* id=\"(\S+)\" name=\"(\w+)\"", row) for row in rows]
    assert [field[2] for field in found] == list(explorer.widgets)
    for row, field in zip(rows, found, strict=True):
        assert f'<label for="{field[1]}">{field[2]}</label>' in row
        # a menu shows by itself where it stands
        assert f'<output for="{field[1]}">' in row or "<select" in row
    assert len({field[1] for field in found}) == len(found)


# ------------------------------------------------------------------------------- arguments


def control(name="gamma", scheduler=StepLR, **given):
    given = {"step_size": 5, **given} if scheduler is StepLR else given
    explorer = explore(scheduler, **given)
    return explorer.widgets[name], explorer.start[name]


def test_tuples_are_ranges():
    slider, start = control(gamma=(0.2, 0.9, 0.1))
    assert isinstance(slider, ipywidgets.FloatSlider)
    assert (slider.min, slider.max, slider.step) == (0.2, 0.9, 0.1)
    slider, start = control("step_size", step_size=(5, 50, 5))
    assert isinstance(slider, ipywidgets.IntSlider)
    assert isinstance(start, int)


def test_lists_and_dicts_are_menus():
    menus = {
        "list": [0.1, 0.5],
        "dict": {"0.1": 0.1, "0.5": 0.5},
        "pairs": [("0.1", 0.1), ("0.5", 0.5)],
    }
    for given in menus.values():
        menu, start = control(gamma=given)
        assert isinstance(menu, ipywidgets.Dropdown)
        assert options(menu) == [("0.1", 0.1), ("0.5", 0.5)]
        assert start == 0.1


def test_booleans_are_check_boxes():
    for value in (True, False):
        box, start = control("three_phase", OneCycleLR, max_lr=1, total_steps=99, three_phase=value)
        assert isinstance(box, ipywidgets.Checkbox)
        assert start is value


def test_plain_values_and_fixed_ones_have_no_control():
    explorer = explore(MultiStepLR, lr=1.0, steps=50, milestones=fixed([5, 9]), gamma=0.2)
    assert explorer.widgets == {}
    given = {"milestones": [5, 9], "gamma": 0.2}
    assert explorer.start == {"lr": 1.0, "steps": 50, "every": 1, "batch_size": 1, **given}
    fixed_text = explore(SWALR, swa_lr=0.1, anneal_strategy="linear")
    assert fixed_text.fixed["anneal_strategy"] == "linear"
    fixed_function = explore(LambdaLR, lr_lambda=slow_decay)
    assert fixed_function.fixed["lr_lambda"] is slow_decay
    assert explore(CyclicLR, base_lr=0, max_lr=1, step_size_down=None).widgets == {}


def test_functions_stand_in_menus_by_their_names():
    menu, start = control("lr_lambda", LambdaLR, lr_lambda=[slow_decay, half_wave])
    assert start is slow_decay
    assert options(menu) == [("slow_decay", slow_decay), ("half_wave", half_wave)]
    named, _ = control("lr_lambda", LambdaLR, lr_lambda={"slow": slow_decay, "wave": half_wave})
    assert options(named) == [("slow", slow_decay), ("wave", half_wave)]


def test_a_widget_is_taken_as_it_is():
    widgets = {
        "lr": ipywidgets.FloatLogSlider(value=0.1, base=10, min=-3, max=0, step=0.5),
        "step_size": ipywidgets.IntSlider(value=20, min=10, max=40, step=10),
        "gamma": ipywidgets.FloatSlider(value=0.35, min=0.05, max=0.95, step=0.05),
    }
    explorer = explore(StepLR, **widgets)
    assert all(explorer.widgets[name] is widget for name, widget in widgets.items())
    values = {"lr": 0.1, "step_size": 20, "gamma": 0.35}
    assert explorer.start == {**values, "steps": 100, "every": 1, "batch_size": 1}


@of_the_page
def test_a_widget_stands_where_an_html_slider_can():
    explorer = explore(
        StepLR,
        lr=ipywidgets.FloatLogSlider(value=0.5, base=10, min=-3, max=0, step=0.1),
        step_size=ipywidgets.IntSlider(value=18, min=5, max=22, step=5),
    )
    assert explorer.start["lr"] == pytest.approx(10**-0.3, rel=1e-3)
    assert explorer.start["step_size"] == 20
    page = page_of(explorer)
    assert 'value="-0.3" data-base="10"' in page


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ((0.05, 0.9, 0.05), 0.1),  # StepLR's own gamma
        ((0.2, 0.9, 0.1), 0.6),  # 0.1 is not on offer: the middle 0.55 is, on the grid, 0.6
        ((0.0, 1.0, 0.4), 0.0),
        ((0.02, 0.9, 0.04), 0.1),
        ([0.5, 0.1], 0.1),
        ([0.5, 0.9], 0.5),
    ],
)
def test_a_control_starts_at_the_schedulers_default_or_in_the_middle(given, start):
    assert control(gamma=given)[1] == start


def test_the_last_stop_of_a_slider_is_not_passed():
    assert control("start_factor", LinearLR, start_factor=(0.1, 1.0, 0.6))[1] == 0.1
    assert control("end_factor", LinearLR, end_factor=(0.1, 1.0, 0.6))[1] == 0.7


def test_lr_starts_at_its_default_too():
    assert explore(StepLR, step_size=5, lr=(0.1, 2.0, 0.1)).start["lr"] == 0.5
    assert explore(StepLR, step_size=5, steps=(50, 200, 10)).start["steps"] == 100


def test_values_are_free_of_binary_dust():
    slider, _ = control(gamma=(0.1, 0.9, 0.1))
    explorer = explore(StepLR, step_size=5, gamma=slider)
    slider.value = 0.1 + 2 * 0.1
    assert slider.value != 0.3
    assert explorer.values()["gamma"] == 0.3


def test_a_live_slider_shows_the_digits_of_its_steps():
    slider, _ = control("eta_min", CosineAnnealingLR, T_max=100, eta_min=(0, 0.01, 0.001))
    assert slider.readout_format == ".3f"


def test_both_ends_are_tried():
    slider, _ = control(gamma=(0.1, 0.9, 0.1))
    assert ends(slider) == [0.1, 0.9]
    log = ipywidgets.FloatLogSlider(base=10, min=-3, max=0)
    assert ends(log) == [0.001, 1.0]
    assert ends(ipywidgets.Checkbox()) == [False, True]
    assert ends(ipywidgets.Dropdown(options={"a": 1, "b": 2})) == [1, 2]


# ---------------------------------------------------------------------------------- errors


def bad_formula(t, base_lr):
    return base_lr if t < 40 else base_lr * 0.9


def failing_formula(t, base_lr):
    return base_lr / (t - 7)


def set_formula(t, base_lr):
    return base_lr * len({1})


def torch_formula(t, base_lr):
    return base_lr * float(torch.ones(1))


def positional_metric(t, scale):
    return 1.0 / scale


ERRORS = {
    "unknown parameter": (
        lambda: explore(StepLR, step_size=5, gama=0.1),
        TypeError,
        "StepLR has no parameter 'gama'; it has ['gamma', 'step_size']",
    ),
    "missing parameter": (
        lambda: explore(StepLR, gamma=0.1),
        TypeError,
        "StepLR needs 'step_size', a value or a control",
    ),
    "no formula": (
        lambda: explore(SequentialLR, schedulers=[], milestones=[5]),
        TypeError,
        "SequentialLR has no formula; give one as formula=",
    ),
    "formula lacks a parameter": (
        lambda: explore(CyclicLR, base_lr=0.1, max_lr=1.0, cycle_momentum=False),
        TypeError,
        "the formula cyclic_lr does not take 'cycle_momentum' of CyclicLR",
    ),
    "not a scheduler": (
        lambda: explore(3),
        TypeError,
        "scheduler=3: allowed is a class or a function",
    ),
    "a lambda": (
        lambda: explore(LambdaLR, lr_lambda=[slow_decay, lambda t: 1.0]),
        TypeError,
        "lr_lambda=<function <lambda>",
    ),
    "a formula that is no function": (
        lambda: explore(constant, formula=0.5),
        TypeError,
        "formula=0.5: allowed is a function that is made with def",
    ),
    "a metric that is no function": (
        lambda: explore(ReduceLROnPlateau, metrics=[1.0] * 100),
        TypeError,
        "metrics=[1.0, 1.0",
    ),
    "metric missing": (
        lambda: explore(ReduceLROnPlateau),
        TypeError,
        "metrics=None, but ReduceLROnPlateau needs a function metrics(t)",
    ),
    "metric not wanted": (
        lambda: explore(StepLR, step_size=5, metrics=dipping_metric),
        TypeError,
        "but StepLR watches no metric",
    ),
    "metric refuses an end of its range": (
        lambda: explore(ReduceLROnPlateau, metrics=positional_metric, scale=(0, 9)),
        ValueError,
        "ReduceLROnPlateau refuses scale=0 (of",
    ),
    "range the wrong way round": (
        lambda: explore(StepLR, step_size=(50, 5)),
        ValueError,
        "step_size=(50, 5): ",
    ),
    "range without steps": (
        lambda: explore(StepLR, step_size=(5, 50, 0)),
        ValueError,
        "step_size=(5, 50, 0): ",
    ),
    "range of one": (
        lambda: explore(StepLR, step_size=(50,)),
        TypeError,
        "step_size=(50,): allowed is a range (min, max)",
    ),
    "wrong kind of control": (
        lambda: explore(StepLR, step_size=ipywidgets.Text("5")),
        TypeError,
        "step_size=Text(value='5'): allowed is a range (min, max)",
    ),
    "empty menu": (
        lambda: explore(StepLR, step_size=[]),
        ValueError,
        "'step_size': None",
    ),
    "negative lr": (
        lambda: explore(StepLR, step_size=5, lr=-1),
        ValueError,
        "StepLR refuses the start "
        "(of {'lr': -1, 'steps': 100, 'every': 1, 'batch_size': 1, 'step_size': 5}): ",
    ),
    "negative end of lr": (
        lambda: explore(StepLR, step_size=5, lr=(-1.0, 1.0, 0.1)),
        ValueError,
        "StepLR refuses lr=-1.0 (of",
    ),
    "a path that is a control": (
        lambda: explore(StepLR, step_size=5, path=(0, 1)),
        TypeError,
        "path=(0, 1): allowed is True or False",
    ),
    "no steps": (
        lambda: explore(StepLR, step_size=5, steps=(0, 100)),
        ValueError,
        "steps=0: allowed is a whole number above 0",
    ),
    "half an example": (
        lambda: explore(StepLR, step_size=5, batch_size=[1, 2, 2.5]),
        ValueError,
        "batch_size=2.5: allowed is a whole number above 0",
    ),
    "half steps": (
        lambda: explore(StepLR, step_size=5, steps=0.5),
        ValueError,
        "steps=0.5: allowed is a whole number above 0",
    ),
    "LinearLR from 0": (
        lambda: explore(LinearLR, start_factor=(0.0, 1.0, 0.1)),
        ValueError,
        "LinearLR refuses start_factor=0.0 (of",
    ),
    "ConstantLR with 0": (
        lambda: explore(ConstantLR, factor=[0.5, 0]),
        ValueError,
        "ConstantLR fails for factor=0 (of",
    ),
    "pct_start out of range": (
        lambda: explore(OneCycleLR, max_lr=1.0, total_steps=100, pct_start=(0.1, 1.5, 0.1)),
        ValueError,
        "OneCycleLR refuses pct_start=1.5 (of",
    ),
    "wrong word": (
        lambda: explore(OneCycleLR, max_lr=1.0, total_steps=100, anneal_strategy=["cos", "sin"]),
        ValueError,
        "OneCycleLR refuses anneal_strategy='sin' (of",
    ),
    "a formula that is wrong": (
        lambda: explore(constant, formula=bad_formula),
        ValueError,
        "bad_formula and constant disagree for the start "
        "(of {'lr': 0.5, 'steps': 100, 'every': 1, 'batch_size': 1}) at step 40: 0.45 against 0.5",
    ),
    "a formula that raises": (
        lambda: explore(constant, formula=failing_formula, lr=0.0),
        ValueError,
        "at step 7: ZeroDivisionError(",
    ),
    "a formula that PScript cannot compile": (
        lambda: explore(constant, formula=set_formula),
        ValueError,
        'function "set_formula"',
    ),
    "a formula that uses what a page lacks": (
        lambda: explore(constant, formula=torch_formula),
        ValueError,
        "use torch.ones; a page has only",
    ),
}


OF_THE_PAGE = ("a formula that PScript cannot compile", "a formula that uses what a page lacks")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=of_the_page) if name in OF_THE_PAGE else name for name in ERRORS],
)
def test_an_error_names_argument_and_value(name):
    make_it, kind, text = ERRORS[name]
    with pytest.raises(kind, match=re.escape(text)) as caught:
        make_it()
    assert str(caught.value).startswith("explore: ")


def test_an_end_that_torch_reaches_only_in_part_is_allowed():
    explorer = explore(OneCycleLR, max_lr=1.0, total_steps=(50, 150, 10))
    short = explorer.curves({**explorer.start, "total_steps": 50})
    assert len(short.rate) == 51
    assert "total steps" in str(short.error).lower()
    assert len(short.loss) == 52


def test_a_metric_may_be_the_readers_own():
    explorer = explore(ReduceLROnPlateau, metrics=dipping_metric, depth=(0.1, 0.9, 0.1), patience=2)
    values = {**explorer.start, "depth": 0.9}
    assert explorer.curves(values).metric == [dipping_metric(t, 0.9) for t in range(100)]
    assert explorer.start["depth"] == 0.5


# --------------------------------------------------------------------------- what is shown


def test_code_brings_all_that_its_functions_use():
    explorer = explore(warm_up_then_cosine, formula=warm_up_then_cosine_lr, T_max=50)
    lines = explorer.code(explorer.start).splitlines()
    assert "WARM_UP = 10" in lines
    assert "from torch.optim.lr_scheduler import SequentialLR" in lines
    explorer = explore(LambdaLR, lr_lambda=[half_wave])
    assert "import math" in explorer.code(explorer.start).splitlines()


def test_code_of_a_class():
    explorer = explore(StepLR, step_size=(5, 50, 5), gamma=(0.1, 0.9, 0.1))
    assert explorer.code({**explorer.start, "step_size": 30}) == """\
import torch
from torch.optim.lr_scheduler import StepLR

model = torch.nn.Linear(1, 1)  # your model
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
scheduler = StepLR(optimizer, step_size=30, gamma=0.1)

for step in range(100):
    print(step, optimizer.param_groups[0]["lr"])
    # your training: a batch, its loss, loss.backward()
    optimizer.step()
    scheduler.step()"""


def test_the_path_is_one_run_under_the_curve():
    explorer = explore(StepLR, step_size=(5, 50, 5), path=True)
    for values in (explorer.start, {**explorer.start, "step_size": 5}):
        curves = explorer.curves(values)
        assert curves.path == toy.noisy_path(curves.rate)
        assert len(curves.path) == len(curves.loss) == 101
    short = explore(OneCycleLR, max_lr=1.0, total_steps=(50, 150, 10), path=True)
    curves = short.curves({**short.start, "total_steps": 50})
    assert curves.error and len(curves.path) == 52


def test_the_path_is_no_value_and_no_part_of_the_code():
    without, with_path = (explore(StepLR, step_size=(5, 9), path=path) for path in (False, True))
    assert with_path.start == without.start
    assert with_path.code(with_path.start) == without.code(without.start)
    assert with_path.panels == without.panels


@of_the_page
def test_only_a_page_with_a_path_computes_it():
    with_path, without = (
        page_of(explore(StepLR, step_size=(5, 50, 5), path=path)) for path in (True, False)
    )
    assert "noisy_path = function" in with_path and 'class="lr-play"' in with_path
    assert "noisy_path" not in without and 'class="lr-play"' not in without
    assert "path: null" in without
    assert with_path == page_of(explore(StepLR, step_size=(5, 50, 5), path=True))


def test_summary_says_what_the_curve_does():
    assert summary([0.1, 1.0, 0.05, 0.2], [1, 0.123456]) == (
        "Learning rate 0.1 at step 0, 0.2 at step 3, highest 1, lowest 0.05. "
        "Expected loss after 4 steps: 0.123."
    )
    assert summary([0.5, 0.5], [1, 2]) == (
        "Learning rate 0.5 at step 0, 0.5 at step 1. Expected loss after 2 steps: 2."
    )


@of_the_page
def test_the_bundle_serves_a_page_and_a_kernel(monkeypatch):
    explorer, page, _ = made(StepLR)
    box = ipywidgets.VBox()
    monkeypatch.setattr(live, "show", lambda shown: box)
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == "<Explorer of StepLR>"
    assert bundle["text/html"] == page
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == box.model_id


@of_the_page
def test_both_ways_to_show_an_explorer_share_their_first_picture(monkeypatch):
    drawn = []

    def draw(*asked):
        drawn.append(panels_png(*asked))
        return drawn[-1]

    monkeypatch.setattr(model, "panels_png", draw)
    explorer = make(StepLR)
    page = explorer._repr_mimebundle_()["text/html"]
    assert drawn == [panels_png(explorer.panels, explorer.curves(explorer.start))]
    assert embedded(drawn[0]) in page

    explorer.widgets["lr"].value = 2.0  # moves the live one alone
    assert len(drawn) == 2 and drawn[0] != drawn[1]
    assert page_of(explorer) == page


def test_without_pscript_only_the_live_widgets_are_left(monkeypatch):
    monkeypatch.setitem(sys.modules, "pscript", None)
    explorer = make(StepLR)
    assert page_of(explorer) is None
    assert set(explorer._repr_mimebundle_()) == {
        "text/plain",
        "application/vnd.jupyter.widget-view+json",
    }


@of_the_page
def test_labels_and_texts_cannot_break_out_of_the_page():
    page = page_of(explore(StepLR, step_size={"</select><b>&": 5, "x": 6}))
    assert "<b>" not in page
    assert "&lt;/select&gt;&lt;b&gt;&amp;" in page


def test_a_diverging_rate_is_drawn_and_told():
    explorer = explore(StepLR, lr=(0.5, 3.0, 0.5), step_size=2000, steps=2000)
    curves = explorer.curves({**explorer.start, "lr": 3.0})
    assert curves.loss[-1] == math.inf
    assert summary(curves.rate, curves.loss).endswith("Expected loss after 2000 steps: inf.")
    assert panels_png(explorer.panels, curves).startswith(b"\x89PNG")


def test_a_diverging_end_does_not_flatten_the_other_curves():
    explorer = explore(StepLR, lr=(0.5, 3.0, 0.5), step_size=2000)
    loss = next(panel for panel in explorer.panels if panel.name == "loss")
    assert loss.high < 10
    assert next(panel for panel in explorer.panels if panel.name == "rate").high == 3.0


def test_a_metric_that_is_never_a_number():
    def lost(t):
        return math.nan

    with pytest.raises(ValueError, match="the validation loss is a finite number at no step"):
        explore(ReduceLROnPlateau, metrics=lost)
