"""Each formula against the torch scheduler of its name, stepped for real on a new optimizer."""

import inspect
import json
import math
import shutil
import subprocess
from itertools import accumulate
from typing import NamedTuple

import pscript
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as torch_lr
from torch.optim.swa_utils import SWALR

from lrcore import formulas
from lrcore.schedulers import WarmupRestarts

pytestmark = pytest.mark.filterwarnings("error")
# derandomize: the same examples each run, so that a red test is about the change under test
some = settings(max_examples=60, deadline=None, database=None, derandomize=True)


class Text:
    """A function that shows its own source, so that it can be handed to JavaScript too."""

    def __init__(self, source):
        self.source = source
        self.function = eval(source)

    def __call__(self, *args):
        return self.function(*args)

    def __repr__(self):
        return self.source


def log_uniform(low, high):
    return st.floats(math.log10(low), math.log10(high)).map(lambda x: 10**x)


rates = log_uniform(1e-6, 10)
low_rates = st.just(0.0) | log_uniform(1e-8, 10)
counts = st.integers(1, 200)
factors = st.floats(0.01, 1)
gammas = st.floats(0.2, 1.1)
# eta_min as a share of the first rate. torch's recursion for the cosine subtracts eta_min and adds
# it back at every step, which costs about 1e-16 * T_max**2 of eta_min by the time the wave is up
# again. With eta_min far above the first rate, or T_max in the tens of thousands, that is more
# than 1e-9 of the rate, and it is torch that is off. These ranges keep it below 2e-10.
shares = st.just(0.0) | log_uniform(1e-6, 10)
cosine_counts = st.integers(1, 1000)


class Case(NamedTuple):
    scheduler: type
    formula: object
    params: dict  # strategies
    horizon: object  # params -> steps to its nominal end
    # Curves that come down to 0 by subtraction: what is left at the bottom is the rounding of
    # far larger rates, so there the error is measured against the largest rate: 1e-12 of it.
    floor: float = 0.0
    fixed: dict = {}  # torch arguments that the formula does not have


def choice(*values):
    return st.sampled_from(values)


decaying = choice(Text("lambda k: 0.95 ** k"), Text("lambda k: 1 / (1 + k)"), Text("lambda k: 0.9"))
factor_sources = decaying | st.floats(0.3, 1.2).map(lambda a: Text(f"lambda k: {a!r} ** (k % 3)"))

CASES = [
    Case(torch_lr.LambdaLR, formulas.lambda_lr, {"lr_lambda": factor_sources}, lambda p: 100),
    Case(
        torch_lr.MultiplicativeLR,
        formulas.multiplicative_lr,
        {"lr_lambda": factor_sources},
        lambda p: 50,
    ),
    Case(
        torch_lr.StepLR,
        formulas.step_lr,
        {"step_size": counts, "gamma": gammas},
        lambda p: 3 * p["step_size"],
    ),
    Case(
        torch_lr.MultiStepLR,
        formulas.multi_step_lr,
        {"milestones": st.lists(st.integers(0, 200), max_size=6), "gamma": gammas},
        lambda p: max(p["milestones"], default=0) + 1,
    ),
    Case(torch_lr.ExponentialLR, formulas.exponential_lr, {"gamma": gammas}, lambda p: 100),
    Case(
        torch_lr.ConstantLR,
        formulas.constant_lr,
        {"factor": factors, "total_iters": st.integers(0, 200)},
        lambda p: p["total_iters"] + 1,
    ),
    Case(
        torch_lr.LinearLR,
        formulas.linear_lr,
        {
            "start_factor": log_uniform(1e-4, 1),
            "end_factor": st.floats(0, 1),
            "total_iters": st.integers(0, 200),
        },
        lambda p: p["total_iters"] + 1,
        floor=1e-12,
    ),
    Case(
        torch_lr.PolynomialLR,
        formulas.polynomial_lr,
        {"total_iters": st.integers(0, 200), "power": st.floats(0, 5)},
        lambda p: p["total_iters"] + 1,
        floor=1e-12,
    ),
    Case(
        torch_lr.CosineAnnealingLR,
        formulas.cosine_annealing_lr,
        {"T_max": cosine_counts, "eta_min": shares},
        lambda p: p["T_max"],
        floor=1e-12,
    ),
    Case(
        torch_lr.CosineAnnealingWarmRestarts,
        formulas.cosine_annealing_warm_restarts,
        {"T_0": counts, "T_mult": st.integers(1, 4), "eta_min": shares},
        lambda p: p["T_0"] * (1 + p["T_mult"]),
    ),
    Case(
        SWALR,
        formulas.swa_lr,
        {
            "swa_lr": rates,
            "anneal_epochs": st.integers(0, 200),
            "anneal_strategy": choice("cos", "linear"),
        },
        lambda p: p["anneal_epochs"] + 1,
    ),
    Case(
        torch_lr.CyclicLR,
        formulas.cyclic_lr,
        {
            "base_lr": low_rates,
            "max_lr": rates,
            "step_size_up": counts,
            "step_size_down": st.none() | st.integers(0, 200),
            "mode": choice("triangular", "triangular2", "exp_range"),
            "gamma": st.floats(0.8, 1),
        },
        lambda p: 2 * p["step_size_up"] + (p["step_size_down"] or 0),
        floor=1e-12,
        fixed={"cycle_momentum": False},
    ),
    Case(
        torch_lr.OneCycleLR,
        formulas.one_cycle_lr,
        {
            "max_lr": rates,
            "total_steps": counts,
            "pct_start": st.floats(0, 1) | choice(0.0, 0.1, 0.25, 0.5, 1.0),
            "anneal_strategy": choice("cos", "linear"),
            "div_factor": log_uniform(1, 1e3),
            "final_div_factor": log_uniform(1, 1e6),
            "three_phase": st.booleans(),
        },
        lambda p: p["total_steps"],
        floor=1e-12,
        fixed={"cycle_momentum": False},
    ),
]
IDS = [case.scheduler.__name__ for case in CASES]


def sgd(lr, momentum=0.0):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=momentum)


def step_torch(build, steps, lr, key="lr"):
    """Rates (or another key) that build(optimizer) sets at 0 ... steps - 1, and where it raised.

    Returns (values, None), or (values so far, the exception) if torch raised.
    """
    optimizer = sgd(lr)
    values = []
    try:
        scheduler = build(optimizer)
        optimizer.step()  # once is enough for torch not to warn, and keeps the tests quick
        for _ in range(steps):
            values.append(optimizer.param_groups[0][key])
            scheduler.step()
    except (ValueError, ZeroDivisionError) as error:
        return values, error
    return values, None


def assert_close(got, expected, floor=0.0, relative=1e-9):
    assert len(got) == len(expected)
    # 1e-300: below, torch's repeated multiplication runs out of bits
    floor = max(floor * max(map(abs, expected), default=0), 1e-300)
    for t, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert abs(a - b) <= max(relative * abs(b), floor), f"step {t}: {a!r}, torch {b!r}"


def draw(data, strategies, lr):
    params = data.draw(st.fixed_dictionaries(strategies))
    if "eta_min" in params:
        params["eta_min"] *= lr
    return params


def call(formula, t, lr, params):
    if "base_lr" in inspect.signature(formula).parameters:
        params = {"base_lr": lr, **params}
    return formula(t, **params)


@pytest.mark.parametrize("case", CASES, ids=IDS)
@some
@given(data=st.data(), lr=rates)
def test_equals_torch_beyond_the_end(case, data, lr):
    params = draw(data, case.params, lr)
    steps = int(2.5 * case.horizon(params)) + 2
    expected, error = step_torch(lambda o: case.scheduler(o, **params, **case.fixed), steps, lr)
    got = [call(case.formula, t, lr, params) for t in range(len(expected))]
    assert_close(got, expected, case.floor)
    if error:
        with pytest.raises(type(error)):
            call(case.formula, len(expected), lr, params)


# ------------------------------------------------------------------------------- momentum

momenta = {"base_momentum": st.floats(0, 0.99), "max_momentum": st.floats(0, 0.99)}
MOMENTUM = {
    torch_lr.CyclicLR: (formulas.cyclic_momentum, {"base_lr": 0.1, "max_lr": 1.0}),
    torch_lr.OneCycleLR: (formulas.one_cycle_momentum, {"max_lr": 1.0}),
}


@pytest.mark.parametrize("scheduler", MOMENTUM, ids=lambda scheduler: scheduler.__name__)
@some
@given(data=st.data())
def test_momentum_equals_torch(scheduler, data):
    formula, fixed = MOMENTUM[scheduler]
    case = next(case for case in CASES if case.scheduler is scheduler)
    names = set(inspect.signature(formula).parameters)
    table = {name: s for name, s in {**case.params, **momenta}.items() if name in names}
    params = data.draw(st.fixed_dictionaries(table))
    steps = int(2.5 * case.horizon(params)) + 2
    expected, error = step_torch(lambda o: scheduler(o, **params, **fixed), steps, 0.1, "momentum")
    assert_close([formula(t, **params) for t in range(len(expected))], expected, floor=1e-12)
    if error:
        with pytest.raises(type(error)):
            formula(len(expected), **params)


# -------------------------------------------------------------------------------- plateau

PLATEAU = {
    "metrics": st.lists(
        # few distinct values: many are equal; NaN as after a diverged epoch
        choice(0.0, 1.0, 0.9999, 1.0001, 2.0, -1.0, math.nan, math.inf) | st.floats(-3, 3),
        max_size=60,
    ),
    "mode": choice("min", "max"),
    "factor": st.floats(0, 0.99),
    "patience": st.integers(0, 5),
    "threshold": st.just(0.0) | log_uniform(1e-5, 1),
    "threshold_mode": choice("rel", "abs"),
    "cooldown": st.integers(0, 5),
    "min_lr": low_rates,
    "eps": st.just(0.0) | log_uniform(1e-9, 1),
}


def step_plateau(metrics, lr, **params):
    optimizer = sgd(lr)
    scheduler = torch_lr.ReduceLROnPlateau(optimizer, **params)
    values = [lr]
    for metric in metrics:
        optimizer.step()
        scheduler.step(metric)
        values.append(optimizer.param_groups[0]["lr"])
    return values


@settings(some, max_examples=400)
@given(params=st.fixed_dictionaries(PLATEAU), lr=rates)
def test_plateau_equals_torch(params, lr):
    expected = step_plateau(lr=lr, **params)
    got = [formulas.reduce_lr_on_plateau(t, lr, **params) for t in range(len(expected))]
    assert_close(got, expected)


@pytest.mark.parametrize("metric", [1.0, math.nan], ids=["equal", "nan"])
def test_plateau_counts_equal_and_nan_as_bad(metric):
    metrics = [1.0] + 4 * [metric]
    expected = step_plateau(metrics, 1.0, patience=2)
    assert expected == [1.0, 1.0, 1.0, 1.0, 0.1, 0.1]
    got = [formulas.reduce_lr_on_plateau(t, 1.0, metrics, patience=2) for t in range(6)]
    assert got == expected


# -------------------------------------------------------------------- warm-up restarts


def walk_warmup_restarts(steps, lr, T_0, T_mult, T_up, gamma, eta_min):
    """The published class of gaussian37, its three counters carried from step to step."""
    values, T_i, T_cur, peak = [], T_0, 0, lr
    for _ in range(steps):
        if T_cur < T_up:
            values.append(eta_min + (peak - eta_min) * T_cur / T_up)
        else:
            wave = math.cos(math.pi * (T_cur - T_up) / (T_i - T_up))
            values.append(eta_min + (peak - eta_min) * (1 + wave) / 2)
        T_cur += 1
        if T_cur == T_i:
            T_cur, T_i, peak = 0, (T_i - T_up) * T_mult + T_up, max(peak * gamma, eta_min)
    return values


@st.composite
def restarts(draw):
    lr, T_up = draw(rates), draw(st.integers(0, 20))
    return lr, {
        "T_0": T_up + draw(st.integers(1, 60)),
        "T_mult": draw(st.integers(1, 3)),
        "T_up": T_up,
        "gamma": draw(st.floats(0.1, 1)),
        "eta_min": lr * draw(st.floats(0, 1)),
    }


@some
@given(restarts())
def test_warmup_restarts_equals_a_walk_and_its_scheduler(drawn):
    lr, params = drawn
    steps = 8 * params["T_0"]
    got = [formulas.warmup_restarts(t, lr, **params) for t in range(steps)]
    assert_close(got, walk_warmup_restarts(steps, lr, **params), floor=1e-12)
    assert (got, None) == step_torch(lambda o: WarmupRestarts(o, **params), steps, lr)


# ---------------------------------------------------------------------------- composition

# Schedulers that start from their own base rate, and those that multiply the latest rate
STARTING = ["LambdaLR", "StepLR", "MultiStepLR", "ExponentialLR", "ConstantLR", "LinearLR"]
STARTING += ["PolynomialLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts"]
MULTIPLYING = ["MultiplicativeLR", "StepLR", "MultiStepLR", "ExponentialLR", "ConstantLR"]
MULTIPLYING += ["LinearLR", "PolynomialLR"]


@st.composite
def children(draw, names):
    """Two or three schedulers as (case, params); total_iters is above 0."""
    chosen = draw(st.lists(choice(*names), min_size=2, max_size=3))
    cases = [CASES[IDS.index(name)] for name in chosen]
    params = [draw(st.fixed_dictionaries(case.params)) for case in cases]
    return [
        (case, {**p, "total_iters": max(p["total_iters"], 1)} if "total_iters" in p else p)
        for case, p in zip(cases, params, strict=True)
    ]


def build_all(parts, optimizer):
    return [case.scheduler(optimizer, **params) for case, params in parts]


@some
@given(parts=children(STARTING), lr=rates, data=st.data())
def test_sequential_equals_torch(parts, lr, data):
    lengths = data.draw(st.lists(counts, min_size=len(parts) - 1, max_size=len(parts) - 1))
    milestones = list(accumulate(lengths))
    schedules = [lambda t, c=case, p=params: c.formula(t, lr, **p) for case, params in parts]
    expected, error = step_torch(
        lambda o: torch_lr.SequentialLR(o, build_all(parts, o), milestones), 600, lr
    )
    assert error is None
    got = [formulas.sequential_lr(t, schedules, milestones) for t in range(600)]
    # torch adds up the roundings of its steps: a rate of 0.01 after some of 10 is off by 2e-11
    assert_close(got, expected, floor=1e-11)


@some
@given(parts=children(MULTIPLYING), lr=rates)
def test_chained_equals_torch(parts, lr):
    by = [lambda t, c=case, p=params: c.formula(t, 1.0, **p) for case, params in parts]
    expected, error = step_torch(lambda o: torch_lr.ChainedScheduler(build_all(parts, o)), 300, lr)
    assert error is None
    got = [formulas.chained_scheduler(t, lr, by) for t in range(300)]
    assert_close(got, expected, floor=1e-12)


def sequence(*builders, milestone=3, lr=1.0, steps=9):
    """Rates of torch's SequentialLR of two schedulers, and where it raised."""
    return step_torch(
        lambda o: torch_lr.SequentialLR(o, [build(o) for build in builders], [milestone]), steps, lr
    )


def halve(optimizer):
    return torch_lr.ExponentialLR(optimizer, 0.5)


def test_sequential_asks_multiplicative_for_factor_0_of_the_rate_it_finds():
    asked = []

    def factor(k):
        asked.append(k)
        return 0.9 - k / 10

    expected, _ = sequence(halve, lambda o: torch_lr.MultiplicativeLR(o, factor), steps=6)
    assert asked == [0, 1, 2, 3]
    assert_close([1, 0.5, 0.25, 0.25 * 0.9, 0.25 * 0.9 * 0.8, 0.25 * 0.9 * 0.8 * 0.7], expected)


def test_sequential_starts_swalr_from_the_rate_it_finds():
    expected, _ = sequence(halve, lambda o: SWALR(o, swa_lr=0.1, anneal_epochs=4))
    schedules = [
        lambda t: formulas.exponential_lr(t, 1.0, 0.5),
        lambda t: formulas.swa_lr(t, 0.25, 0.1, 4),
    ]
    assert_close([formulas.sequential_lr(t, schedules, [3]) for t in range(9)], expected)


def test_sequential_warms_up_to_the_first_rate_of_one_cycle():
    expected, _ = sequence(
        lambda o: torch_lr.LinearLR(o, 0.1, total_iters=3),
        lambda o: torch_lr.OneCycleLR(o, max_lr=2.0, total_steps=20),
    )
    schedules = [
        lambda t: formulas.linear_lr(t, 2.0 / 25, 0.1, 1.0, 3),
        lambda t: formulas.one_cycle_lr(t, 2.0, 20),
    ]
    assert_close([formulas.sequential_lr(t, schedules, [3]) for t in range(9)], expected)


def test_sequential_in_torch_drops_a_constant_factor_of_0_iters():
    expected, _ = sequence(halve, lambda o: torch_lr.ConstantLR(o, 0.1, total_iters=0))
    assert expected[3:] == 6 * [1.0]
    assert formulas.constant_lr(0, 1.0, 0.1, 0) == 0.1


@pytest.mark.parametrize(
    "build, error",
    [
        (lambda o: torch_lr.LinearLR(o, 0.1, total_iters=0), ZeroDivisionError),
        (lambda o: torch_lr.PolynomialLR(o, total_iters=0), ZeroDivisionError),
    ],
)
def test_sequential_in_torch_raises_for_0_iters(build, error):
    rates_so_far, raised = sequence(halve, build)
    assert len(rates_so_far) == 3 and isinstance(raised, error)


@pytest.mark.parametrize(
    "inner",
    [
        lambda o: torch_lr.ChainedScheduler([torch_lr.ExponentialLR(o, 0.9)]),
        lambda o: torch_lr.SequentialLR(o, [torch_lr.ExponentialLR(o, 0.9), halve(o)], [8]),
    ],
    ids=["chained", "sequential"],
)
def test_sequential_in_torch_runs_a_composition_inside_it_one_step_ahead(inner):
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        expected, _ = sequence(inner, halve)
    assert_close(expected[:3], [0.9, 0.9**2, 0.9**3])


def chain(*builders, steps=9):
    """Rates of torch's ChainedScheduler, built in this order on rate 1."""
    return step_torch(lambda o: torch_lr.ChainedScheduler([b(o) for b in builders]), steps, 1.0)[0]


def test_chained_lambda_wipes_out_what_stands_before_it():
    def lam(optimizer):
        return torch_lr.LambdaLR(optimizer, lambda t: 1 / (1 + t))

    alone = [formulas.lambda_lr(t, 1.0, lambda t: 1 / (1 + t)) for t in range(9)]
    assert_close(chain(halve, lam), alone)
    assert_close(chain(lam, halve), [alone[0]] + [rate / 2 for rate in alone[1:]])


def test_chained_cosine_multiplies_up_to_T_max_only():
    expected = chain(lambda o: torch_lr.CosineAnnealingLR(o, T_max=4), halve)
    by = [lambda t: formulas.cosine_annealing_lr(t, 1.0, 4), lambda t: 0.5**t]
    got = [formulas.chained_scheduler(t, 1.0, by) for t in range(9)]
    assert_close(got[:5], expected[:5], floor=1e-12)
    assert expected[5] == pytest.approx(16 * got[5])  # torch turns up from the full base rate


# ------------------------------------------------------- warm-up, then decay, which torch lacks


def after_warmup(optimizer, warmup_steps, *parts):
    """Parts, each (builder, steps that it takes), after a warm-up along a straight line."""
    climb = torch_lr.LinearLR(optimizer, 1 / (warmup_steps + 1), total_iters=warmup_steps)
    schedulers = [climb, *(build(optimizer) for build, _ in parts)]
    lengths = [warmup_steps, *(length for _, length in parts[:-1])]
    return torch_lr.SequentialLR(optimizer, schedulers, list(accumulate(lengths)))


def held(optimizer):
    return torch_lr.ConstantLR(optimizer, factor=1.0, total_iters=1)


LENGTHS = st.tuples(st.integers(1, 60), st.integers(0, 100), st.integers(1, 200))
WARMED = {
    formulas.warmup_cosine: {"eta_min": shares},
    formulas.warmup_linear: {},
    formulas.warmup_stable_decay: {"decay": choice("linear", "cosine", "1-sqrt")},
    formulas.inverse_sqrt: {},
}


@some
@given(lengths=LENGTHS, lr=rates, share=shares)
def test_warmup_cosine_is_torchs_line_and_cosine(lengths, lr, share):
    warmup, _, decay = lengths
    eta_min, total = share * lr, warmup + decay
    expected, _ = step_torch(
        lambda o: after_warmup(
            o, warmup, (lambda o: torch_lr.CosineAnnealingLR(o, decay, eta_min), decay)
        ),
        total + 1,
        lr,
    )
    got = [formulas.warmup_cosine(t, lr, total, warmup, eta_min) for t in range(total + 50)]
    assert_close(got[: total + 1], expected, floor=1e-12)
    assert got[total:] == [eta_min] * 50  # torch's cosine would climb again


@some
@given(lengths=LENGTHS, lr=rates)
def test_warmup_linear_and_wsd_are_torchs_lines(lengths, lr):
    warmup, stable, decay = lengths

    def line(optimizer):
        return torch_lr.LinearLR(optimizer, 1.0, end_factor=0.0, total_iters=decay)

    total = warmup + decay
    expected, _ = step_torch(lambda o: after_warmup(o, warmup, (line, decay)), total + 50, lr)
    got = [formulas.warmup_linear(t, lr, total, warmup) for t in range(total + 50)]
    assert_close(got, expected, floor=1e-12)

    total += stable + 1
    expected, _ = step_torch(
        lambda o: after_warmup(o, warmup, (held, stable + 1), (line, decay)), total + 50, lr
    )
    got = [
        formulas.warmup_stable_decay(t, lr, total, warmup, decay, "linear")
        for t in range(total + 50)
    ]
    assert_close(got, expected, floor=1e-12)


@some
@given(lengths=LENGTHS, lr=rates, decay=WARMED[formulas.warmup_stable_decay]["decay"])
def test_wsd_is_a_warmup_a_plateau_and_the_shape_of_its_cooldown(lengths, lr, decay):
    warmup, stable, length = lengths
    total = warmup + stable + length
    shape = {
        "linear": lambda x: 1 - x,
        "cosine": lambda x: math.cos(math.pi * x / 2) ** 2,
        "1-sqrt": lambda x: 1 - x**0.5,
    }[decay]
    expected = [lr * (t + 1) / (warmup + 1) for t in range(warmup)] + [lr] * stable
    expected += [lr * shape(k / length) for k in range(length)] + [0.0] * 50
    got = [
        formulas.warmup_stable_decay(t, lr, total, warmup, length, decay) for t in range(total + 50)
    ]
    assert_close(got, expected, floor=1e-12)


@some
@given(lr=rates, warmup=st.integers(0, 100))
def test_inverse_sqrt_is_the_lambda_of_the_first_transformer(lr, warmup):
    def noam(t):
        return (warmup + 1) ** 0.5 * min((t + 1) ** -0.5, (t + 1) * (warmup + 1) ** -1.5)

    expected, _ = step_torch(lambda o: torch_lr.LambdaLR(o, noam), 300, lr)
    assert_close([formulas.inverse_sqrt(t, lr, warmup) for t in range(300)], expected)


def test_wsd_without_a_cooldown_ends_at_once():
    got = [formulas.warmup_stable_decay(t, 1.0, 3, decay_steps=0) for t in range(5)]
    assert got == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_a_long_cooldown_eats_into_the_warmup():
    got = [formulas.warmup_stable_decay(t, 1.0, 4, 3, 4, "linear") for t in range(5)]
    assert_close(got, [0.25, 0.5 * 0.75, 0.75 * 0.5, 0.25, 0.0])


# ------------------------------------------------------------------ a climb to find the rate

# up, and down too; so many steps that 300 of them stay within the range of a float
CLIMBS = {
    formulas.range_test: {"end_lr": log_uniform(1e-6, 100), "total_iters": st.integers(20, 200)},
}


@some
@given(lr=rates, params=st.fixed_dictionaries(CLIMBS[formulas.range_test]))
def test_range_test_is_torchs_exponential(lr, params):
    total = params["total_iters"]
    gamma = (params["end_lr"] / lr) ** (1 / total)
    expected, _ = step_torch(lambda o: torch_lr.ExponentialLR(o, gamma), total + 50, lr)
    got = [formulas.range_test(t, lr, **params) for t in range(total + 50)]
    assert_close(got, expected)
    assert got[0] == lr
    assert got[total] == pytest.approx(params["end_lr"], rel=1e-12)


# ------------------------------------------------------- where torch stops, and bad input


def test_where_torch_crashes_the_formula_goes_on():
    """Two places where a formula has a value and torch none, as stated in the docstrings."""
    so_far, error = step_torch(lambda o: torch_lr.ConstantLR(o, 0.0, 3), 9, 1.0)
    assert len(so_far) == 3 and isinstance(error, ZeroDivisionError)
    assert formulas.constant_lr(3, 1.0, 0.0, 3) == 1.0
    optimizer = sgd(1.0)
    scheduler = torch_lr.CyclicLR(optimizer, 0.1, 1.0, 1, mode="triangular2", cycle_momentum=False)
    optimizer.step()
    with pytest.raises(OverflowError):  # 2.0 ** (cycle - 1) in torch
        for _ in range(2048):
            scheduler.step()
    assert formulas.cyclic_lr(2049, 0.1, 1.0, 1, mode="triangular2") == 0.1


@pytest.mark.parametrize("strategy, sign", [("cos", 1), ("linear", -1)])
def test_one_cycle_one_step_too_many(strategy, sign):
    """One step past the end a cosine climbs again, and a line goes on to a negative rate."""
    first_too_many = formulas.one_cycle_lr(10, 1.0, 10, anneal_strategy=strategy)
    assert first_too_many * sign > 0.04


BAD = [
    (lambda: formulas.cyclic_lr(0, 0.1, 1.0, mode="square"), r"mode='square': .*exp_range"),
    (lambda: formulas.cyclic_momentum(0, mode=None), r"mode=None: allowed is triangular or"),
    (lambda: formulas.one_cycle_lr(0, 1.0, 10, anneal_strategy="exp"), "anneal_strategy='exp': "),
    (lambda: formulas.one_cycle_lr(12, 1.0, 10), "t=12: allowed is at most total_steps=10"),
    (lambda: formulas.one_cycle_momentum(12, 10), "t=12: allowed is at most total_steps=10"),
    (lambda: formulas.swa_lr(0, 1.0, 0.1, 10, "log"), "anneal_strategy='log': .*cos or linear"),
    (lambda: formulas.reduce_lr_on_plateau(0, 1.0, [], "top"), "mode='top': .*min or max"),
    (
        lambda: formulas.reduce_lr_on_plateau(0, 1.0, [], threshold_mode="x"),
        "threshold_mode='x': .*rel or abs",
    ),
    (lambda: formulas.reduce_lr_on_plateau(2, 1.0, [5.0]), "metrics has 1 values: .*t=2"),
    (lambda: formulas.cosine_annealing_warm_restarts(1, 1.0, 0), "T_0=0, .*T_up < T_0"),
    (lambda: formulas.cosine_annealing_warm_restarts(1, 1.0, 5, 0), "T_mult=0"),
    (lambda: formulas.warmup_restarts(1, 1.0, 5, T_up=5), "T_0=5, .*T_up=5: "),
    (
        lambda: formulas.warmup_stable_decay(9, 1.0, 10, decay_steps=5, decay="sqrt"),
        "decay='sqrt': allowed is linear or cosine or 1-sqrt",
    ),
]


@pytest.mark.parametrize("bad, message", BAD)
def test_bad_input_is_named(bad, message):
    with pytest.raises(ValueError, match=message):
        bad()


# ------------------------------------------------------------- the module as a whole

FORMULA_OF = {case.scheduler: [case.formula] for case in CASES}
FORMULA_OF[torch_lr.CyclicLR].append(formulas.cyclic_momentum)
FORMULA_OF[torch_lr.OneCycleLR].append(formulas.one_cycle_momentum)
FORMULA_OF[torch_lr.ReduceLROnPlateau] = [formulas.reduce_lr_on_plateau]
FORMULA_OF[WarmupRestarts] = [formulas.warmup_restarts]
# functions of functions: their parameters are not torch's
COMPOSED = {
    torch_lr.SequentialLR: formulas.sequential_lr,
    torch_lr.ChainedScheduler: formulas.chained_scheduler,
}
SHARED = {"restart_cycle", "cyclic_height", "one_cycle", "anneal", "one_of"}
SHARED |= {"warmup_share", "cooldown_share"}
FUNCTIONS = {name: f for name, f in vars(formulas).items() if inspect.isfunction(f)}


def test_every_scheduler_has_a_formula():
    there_are = {getattr(torch_lr, name) for name in torch_lr.__all__ if name != "LRScheduler"}
    assert set(FORMULA_OF) | set(COMPOSED) == there_are | {SWALR, WarmupRestarts}
    listed = {f.__name__ for fs in FORMULA_OF.values() for f in fs}
    listed |= {f.__name__ for f in COMPOSED.values()}
    listed |= {f.__name__ for f in WARMED | CLIMBS}
    assert listed | SHARED == set(FUNCTIONS)


@pytest.mark.parametrize("scheduler", FORMULA_OF, ids=lambda scheduler: scheduler.__name__)
def test_names_and_defaults_are_torchs(scheduler):
    torchs = inspect.signature(scheduler).parameters
    ours = {}
    for formula in FORMULA_OF[scheduler]:
        ours.update(inspect.signature(formula).parameters)
    for name in set(ours) - {"t", "base_lr", "metrics", "total_steps"}:
        assert ours[name].default == torchs[name].default, name
    # the rest is no part of the curve, or another way to say total_steps
    rest = {"optimizer", "last_epoch", "cycle_momentum", "scale_fn", "scale_mode"}
    assert set(torchs) - set(ours) <= rest | {"epochs", "steps_per_epoch"}


@pytest.fixture(scope="session")
def node():
    """A function that runs Python text in node, with all formulas, both compiled by PScript."""
    if not shutil.which("node"):
        pytest.skip("node is not installed: the compiled formulas run in the browser tests only")
    sources = "\n".join(inspect.getsource(function) for function in FUNCTIONS.values())
    compiled = pscript.py2js(sources)

    def run(text):
        program = f"""
            const nan = NaN, inf = Infinity;
            const math = {{cos: Math.cos, sqrt: Math.sqrt, pi: Math.PI, inf: Infinity}};
            {compiled}
            {pscript.py2js(text)}
            console.log(JSON.stringify(result));"""
        done = subprocess.run(["node", "-"], input=program, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def curve(formula, lr, params):
    """Rates from step 0 on, 300 of them or as many as there are before the formula raises."""
    values = []
    try:
        for t in range(300):
            values.append(call(formula, t, lr, params))
    except (ValueError, ZeroDivisionError):
        pass  # what it says, in Python and in JavaScript, is tested below
    return values


def curve_text(formula, lr, params, steps):
    """The same curve as Python text with positional arguments, which is what PScript has."""
    values = {"base_lr": lr, **params}
    names = list(inspect.signature(formula).parameters)[1:]
    arguments = ", ".join(repr(values[name]) for name in names)
    return f"[{formula.__name__}(t, {arguments}) for t in range({steps})]"


@st.composite
def lr_and_params(draw_, formula):
    if formula is formulas.warmup_restarts:
        return draw_(restarts())
    names = set(inspect.signature(formula).parameters)
    lr, params = draw_(rates), draw_(st.fixed_dictionaries(TABLE[formula]))
    if formula in WARMED:
        warmup, stable, decay = draw_(LENGTHS)
        params |= {"total_steps": warmup + stable + decay, "warmup_steps": warmup}
        params |= {"decay_steps": decay}
    return lr, {name: value for name, value in params.items() if name in names}


TABLE = {case.formula: case.params for case in CASES}
TABLE[formulas.cyclic_momentum] = {**TABLE[formulas.cyclic_lr], **momenta}
TABLE[formulas.one_cycle_momentum] = {**TABLE[formulas.one_cycle_lr], **momenta}
TABLE[formulas.reduce_lr_on_plateau] = PLATEAU
TABLE |= WARMED | CLIMBS
TABLE[formulas.warmup_restarts] = {}  # its parameters depend on each other: see restarts()


@pytest.mark.parametrize("formula", TABLE, ids=lambda formula: formula.__name__)
@settings(some, max_examples=3)
@given(data=st.data())
def test_compiled_to_javascript_gives_the_same(node, formula, data):
    drawn = data.draw(st.lists(lr_and_params(formula), min_size=8, max_size=8))
    expected = [curve(formula, lr, params) for lr, params in drawn]
    texts = [
        curve_text(formula, lr, params, len(values))
        for (lr, params), values in zip(drawn, expected, strict=True)
    ]
    for a, b in zip(node(f"result = [{', '.join(texts)}]"), expected, strict=True):
        # node has its own cos: one unit in the last place of 1 + cos, whatever is left of it
        assert_close(a, b, floor=1e-14, relative=1e-12)


def test_compiled_compositions_and_defaults_give_the_same(node):
    # PScript gives a default where an argument is missing: None must stay None
    text = """[
        [sequential_lr(t, [lambda k: linear_lr(k, 0.1), lambda k: step_lr(k, 0.1, 4)], [7])
         for t in range(30)],
        [chained_scheduler(t, 0.1, [lambda k: 0.9 ** k, lambda k: 1 / (1 + k)]) for t in range(30)],
        [cyclic_lr(t, 0.1, 1.0, 7) for t in range(30)],
        [one_cycle_lr(t, 0.1, 29) for t in range(30)],
        [warmup_restarts(t, 0.1, 7, 2, 3) for t in range(30)],
        [swa_lr(t, 0.1, 0.01) for t in range(30)],
    ]"""
    for got, expected in zip(node(f"result = {text}"), eval(text, FUNCTIONS), strict=True):
        assert_close(got, expected, floor=1e-14, relative=1e-12)


def test_compiled_formulas_raise_the_same_errors(node):
    calls = [
        "cyclic_lr(0, 0.1, 1.0, 5, 5, 'square')",
        "swa_lr(0, 1.0, 0.1, 10, 'log')",
        "one_cycle_lr(12, 1.0, 10)",
        "one_cycle_lr(0, 1.0, 10, 0.1)",
        "reduce_lr_on_plateau(2, 1.0, [5.0])",
        "warmup_restarts(1, 1.0, 5, 1, 5)",
    ]
    text = "result = []\n"
    for bad in calls:
        text += f"try:\n    {bad}\nexcept Exception as error:\n    result.append(error.message)\n"
    expected = []
    for bad in calls:
        with pytest.raises((ValueError, ZeroDivisionError)) as raised:
            eval(bad, FUNCTIONS)
        expected.append(f"{raised.type.__name__}: {raised.value}".replace("'", '"'))
    assert node(text) == expected
