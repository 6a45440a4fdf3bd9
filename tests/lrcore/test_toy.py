"""The toy model: its exact recursion against real SGD and against theory."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from lrcore import toy, trace
from lrcore.toy import CURVATURES, NOISE_VARIANCE, expected_losses, scatter, simulate

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
