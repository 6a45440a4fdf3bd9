"""The toy model: its exact recursion against real SGD and against theory."""

import json
import math
import random
import shutil
import statistics
import subprocess

import pscript
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from lrcore import toy, trace
from lrcore.sources import definition
from lrcore.toy import (
    CURVATURES,
    NOISE_VARIANCE,
    PATH_CURVATURES,
    expected_losses,
    noisy_path,
    normals,
    scatter,
    simulate,
)

RUNS = 2000
# 4 standard errors, as long as the mean of that many losses is nearly normal
ALLOWED = 4


def assert_matches_simulation(rates, seed):
    losses = simulate(rates, runs=RUNS, seed=seed)
    expected = expected_losses(rates)
    assert losses.shape == (len(rates) + 1, RUNS)
    assert losses.dtype == torch.float64
    assert len(expected) == len(rates) + 1
    for t in [*range(0, len(rates) + 1, 10), len(rates)]:
        error = losses[t].std() / math.sqrt(RUNS)
        distance = abs(losses[t].mean() - expected[t])
        assert distance <= ALLOWED * error + 1e-12, f"step {t}: {distance / error:.1f} errors off"


SCHEDULES = {
    "constant": (lr_scheduler.ConstantLR, {"factor": 1.0}),
    "step": (lr_scheduler.StepLR, {"step_size": 40}),
    "cosine": (lr_scheduler.CosineAnnealingLR, {"T_max": 120}),
    "cyclic": (lr_scheduler.CyclicLR, {"base_lr": 0.05, "max_lr": 1.2, "step_size_up": 15}),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_expected_losses_are_the_mean_of_real_sgd(name):
    scheduler, params = SCHEDULES[name]
    rates = trace(scheduler, 120, lr=0.8, **params).lr
    assert_matches_simulation(rates, seed=1)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1.5), min_size=1, max_size=40), st.integers(0, 2**31))
def test_expected_losses_are_the_mean_of_real_sgd_for_any_rates(rates, seed):
    assert_matches_simulation(rates, seed)


def test_simulated_runs_differ_between_seeds_and_repeat_within_one():
    first, again, other = (simulate([0.5] * 3, runs=5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first[1:], other[1:])


def test_start():
    assert expected_losses([]) == pytest.approx([0.5 * sum(CURVATURES)])


def test_without_noise_every_weight_shrinks_by_itself():
    losses = expected_losses([0.5, 0.1], curvatures=(1.0, 0.2), noise_variance=0.0, start=2.0)
    first, second = 2 * 0.5 * 0.9, 2 * 0.9 * 0.98
    assert losses[2] == pytest.approx(0.5 * (first**2 + 0.2 * second**2))


@pytest.mark.parametrize("lr", [0.05, 0.5, 1.5])
@pytest.mark.parametrize("h", CURVATURES)
def test_a_constant_rate_ends_on_its_noise_floor(lr, h):
    losses = expected_losses([lr] * 60_000, curvatures=(h,))
    assert losses[-1] == pytest.approx(0.5 * h * lr * NOISE_VARIANCE / (2 - lr * h), rel=1e-6)


def test_a_rate_above_two_diverges_without_an_error():
    losses = expected_losses([2.5] * 3000)
    assert losses[200] > 1e6 > losses[1]
    assert losses[-1] == math.inf


# --- one run: its path

COUNT = 100_000
PERIOD = 2**31 - 1


def test_normals_are_sums_of_the_numbers_of_minstd_rand():
    def minstd(x):
        while True:
            x = x * 48271 % PERIOD
            yield x

    from_one = minstd(1)
    assert [next(from_one) for _ in range(10_000)][-1] == 399268537  # as the C++ standard says
    for seed in (1, 48, PERIOD - 1):
        numbers = minstd(seed)
        for got in normals(100, seed):
            assert got == pytest.approx(sum(next(numbers) / PERIOD for _ in range(12)) - 6)


def test_normals_stay_exact_in_javascript():
    assert (PERIOD - 1) * 48271 < 2**53


@pytest.mark.parametrize("seed", [1, 2, 12345, PERIOD - 1])
def test_normals_are_as_good_as_normal(seed):
    numbers = normals(COUNT, seed)
    spread = ALLOWED / math.sqrt(COUNT)  # of a mean of independent numbers of variance 1
    assert abs(statistics.fmean(numbers)) < spread
    assert abs(statistics.fmean(x * x for x in numbers) - 1) < 1.5 * spread
    for lag in (1, 2, 3, 12):  # 2: the same direction, one step later
        products = [a * b for a, b in zip(numbers, numbers[lag:], strict=False)]
        assert abs(statistics.fmean(products)) < spread, lag
    for limit, share in ((1, 0.683), (2, 0.954), (3, 0.997)):
        within = sum(abs(x) < limit for x in numbers) / COUNT
        assert within == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("seed", [0, -1, PERIOD])
def test_a_seed_that_would_give_no_noise_is_refused(seed):
    with pytest.raises(ValueError, match=f"seed={seed}: allowed is a whole number from 1 to"):
        noisy_path([0.5], seed=seed)


def loss(place, curvatures=PATH_CURVATURES):
    return sum(0.5 * h * w * w for h, w in zip(curvatures, place, strict=True))


rate_lists = st.lists(st.floats(0, 1.9), max_size=60)


@given(rate_lists)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_without_noise_the_path_is_that_of_the_means(rates):
    path = noisy_path(rates, noise_variance=0)
    losses = expected_losses(rates, curvatures=PATH_CURVATURES, noise_variance=0)
    assert [loss(place) for place in path] == pytest.approx(losses)


@pytest.mark.parametrize("name", SCHEDULES)
def test_over_many_seeds_the_loss_of_the_path_is_the_expected_one(name):
    scheduler, params = SCHEDULES[name]
    rates = trace(scheduler, 120, lr=0.8, **params).lr
    seeds = random.Random(1).sample(range(1, PERIOD), 1000)
    runs = [[loss(place) for place in noisy_path(rates, seed=seed)] for seed in seeds]
    expected = expected_losses(rates, curvatures=PATH_CURVATURES)
    for t in [0, 1, 2, 5, 20, 60, 120]:
        losses = [run[t] for run in runs]
        error = statistics.stdev(losses) / math.sqrt(len(losses))
        assert abs(statistics.fmean(losses) - expected[t]) <= ALLOWED * error + 1e-12, t


NO_MOMENTUM = {"cyclic": {"cycle_momentum": False}}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_path_is_that_of_real_sgd_with_the_same_noise(name):
    scheduler, params = SCHEDULES[name]
    curvatures = torch.tensor(PATH_CURVATURES, dtype=torch.float64)
    weights = torch.ones(2, dtype=torch.float64)
    optimizer = torch.optim.SGD([weights], lr=0.8)
    scheduler = scheduler(optimizer, **{**params, **NO_MOMENTUM.get(name, {})})
    rates, path = [], [weights.tolist()]
    for noise in torch.tensor(normals(240, seed=1), dtype=torch.float64).reshape(120, 2):
        rates.append(optimizer.param_groups[0]["lr"])
        weights.grad = curvatures * weights + noise * (NOISE_VARIANCE * curvatures).sqrt()
        optimizer.step()
        scheduler.step()
        path.append(weights.tolist())
    for got, wanted in zip(noisy_path(rates), path, strict=True):
        assert got == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_all_rates_meet_the_same_noise():
    high, low = noisy_path([0.5] * 9), noisy_path([0.25] * 9)
    # the first step, with the gradient that both see there
    assert [1 - w for w in high[1]] == pytest.approx([2 * (1 - w) for w in low[1]])
    assert noisy_path([0.5] * 9) == high != noisy_path([0.5] * 9, seed=2)


def test_a_high_rate_goes_far_and_rattles_and_a_low_one_settles():
    """What the panel of the path is there to show."""
    high, low = noisy_path([1.0] * 200), noisy_path([0.05] * 200)
    for i in (0, 1):
        spread = [statistics.stdev(place[i] for place in path[150:]) for path in (high, low)]
        assert spread[0] > 3 * spread[1]
    assert abs(high[40][1]) < 0.5 < low[40][1]  # in the flat direction


def test_javascript_gives_the_same_path():
    if not shutil.which("node"):
        pytest.skip("node is not installed: this is tested in the browser only")
    rates = [[0.5 + 0.4 * math.sin(t) for t in range(300)], [2.5] * 2000, []]
    program = definition(noisy_path).replace("import math\n", "")
    compiled = pscript.py2js(program + f"\nresult = [noisy_path(some) for some in {rates}]")
    program = "const math = {sqrt: Math.sqrt};" + compiled + ";console.log(JSON.stringify(result))"
    done = subprocess.run(["node", "-"], input=program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout, parse_int=float)
    for path, some in zip(got, rates, strict=True):
        assert finite(path) == finite(noisy_path(some))  # digit by digit
        assert len(path) == len(some) + 1


def finite(path):
    """The path until it overflows: JSON has no infinity."""
    return [p for p in path if all(w is not None and math.isfinite(w) for w in p)]


def test_validation_loss_falls_and_then_stays():
    losses = [toy.validation_loss(t, flattens_at=40, noise=0) for t in range(100)]
    assert losses[0] == 1
    assert all(after < before for before, after in zip(losses[:40], losses[1:41], strict=True))
    assert losses[40:] == pytest.approx([0.2] * 60)


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_noise_bounds_the_deviation_and_is_used(noise):
    deviations = [
        toy.validation_loss(t, noise=noise) - toy.validation_loss(t, noise=0) for t in range(200)
    ]
    assert max(map(abs, deviations)) <= noise * (1 + 1e-12)
    assert max(deviations) > 0.8 * noise
    assert min(deviations) < -0.8 * noise


def test_the_jump_comes_at_its_epoch_and_stays():
    jumps = [
        toy.validation_loss(t, jump_at=7, jump=0.5) - toy.validation_loss(t) for t in range(20)
    ]
    assert jumps == pytest.approx([0] * 7 + [0.5] * 13)


@pytest.mark.parametrize("flattens_at", [1, 2, 1000])
def test_flattening_at_the_edges(flattens_at):
    assert toy.validation_loss(0, flattens_at=flattens_at, noise=0) == 1
    assert toy.validation_loss(flattens_at, flattens_at=flattens_at, noise=0) == pytest.approx(0.2)


def test_scatter_stays_within_one_and_moves():
    values = [scatter(t) for t in range(5000)]
    assert max(map(abs, values)) <= 1
    assert len(set(values)) > 3000  # no short cycle, no constant
    assert abs(sum(values) / len(values)) < 0.05


def test_scatter_stays_exact_in_javascript():
    assert 7 * 32748**2 + 11 * 32748 + 5 < 2**53
