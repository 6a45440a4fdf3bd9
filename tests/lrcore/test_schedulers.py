"""WarmupRestarts as a scheduler: groups, saving and resuming, company, and bad arguments.

That its rates are those of the formula is tested with the formulas.
"""

import copy
import io
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as torch_lr

from lrcore import formulas
from lrcore.schedulers import WarmupRestarts

pytestmark = pytest.mark.filterwarnings("error")

PARAMS = {"T_0": 7, "T_mult": 2, "T_up": 3, "gamma": 0.5, "eta_min": 0.01}
RATES = (0.8, 0.1, 3.0)


def sgd(rates=RATES, momentum=0.0):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in rates]
    return torch.optim.SGD(groups, momentum=momentum)


def lrs(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def advance(optimizer, scheduler, steps):
    """Rates of all groups before each of so many steps."""
    seen = []
    for _ in range(steps):
        seen.append(lrs(optimizer))
        optimizer.step()
        scheduler.step()
    return seen


def uninterrupted(steps, **params):
    optimizer = sgd()
    return advance(optimizer, WarmupRestarts(optimizer, **{**PARAMS, **params}), steps)


def test_every_group_keeps_its_own_rate():
    expected = [[formulas.warmup_restarts(t, lr, **PARAMS) for lr in RATES] for t in range(100)]
    assert uninterrupted(100) == expected


def test_get_last_lr_is_what_the_optimizer_has():
    optimizer = sgd()
    scheduler = WarmupRestarts(optimizer, **PARAMS)
    assert scheduler.get_last_lr() == lrs(optimizer) == [0.01, 0.01, 0.01]
    for _ in range(50):
        optimizer.step()
        scheduler.step()
        assert scheduler.get_last_lr() == lrs(optimizer)


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(T_0=st.integers(1, 30), T_mult=st.integers(1, 3), share=st.floats(0, 1))
def test_without_warmup_and_decay_it_is_torchs_warm_restarts(T_0, T_mult, share):
    params = {"T_0": T_0, "T_mult": T_mult, "eta_min": share * min(RATES)}
    a, b = sgd(), sgd()
    ours = advance(a, WarmupRestarts(a, **params), 200)
    assert ours == advance(b, torch_lr.CosineAnnealingWarmRestarts(b, **params), 200)


def test_peaks_decay_by_gamma_from_each_groups_rate():
    # the published class inverts its later cycles unless the optimizer's rate is near 0
    seen = uninterrupted(7 + 11 + 19 + 35, eta_min=0.0)
    for cycle, peak in enumerate([3, 7 + 3, 7 + 11 + 3, 7 + 11 + 19 + 3]):
        assert seen[peak] == [lr * 0.5**cycle for lr in RATES]
    ends = [0, 7, 7 + 11, 7 + 11 + 19, len(seen)]
    for start, end in zip(ends[:-1], ends[1:], strict=True):
        for rates in zip(*seen[start:end], strict=True):
            climb, fall = list(rates[:4]), list(rates[3:])
            assert rates[0] == 0.0
            assert climb == sorted(climb) and fall == sorted(fall, reverse=True)


def test_a_peak_never_sinks_below_eta_min():
    last = uninterrupted(500, T_mult=1, eta_min=0.05)[-1]
    assert last == [0.05, 0.05, 0.05]


def test_momentum_is_left_alone():
    optimizer = sgd(momentum=0.37)
    advance(optimizer, WarmupRestarts(optimizer, **PARAMS), 30)
    assert [group["momentum"] for group in optimizer.param_groups] == 3 * [0.37]


def test_a_tensor_rate_stays_the_same_tensor():
    optimizer = sgd([torch.tensor(0.5)])
    rate = optimizer.param_groups[0]["lr"]
    scheduler = WarmupRestarts(optimizer, **PARAMS)
    advance(optimizer, scheduler, 10)
    assert optimizer.param_groups[0]["lr"] is rate
    expected = formulas.warmup_restarts(10, 0.5, **PARAMS)
    assert rate.item() == pytest.approx(expected, rel=1e-6)
    # a copy, from torch 2.10 on: whatever torch's own schedulers give
    other = sgd([torch.tensor(0.5)])
    (theirs,) = torch_lr.StepLR(other, step_size=5).get_last_lr()
    shared = theirs is other.param_groups[0]["lr"]
    assert (scheduler.get_last_lr()[0] is rate) == shared


# ---------------------------------------------------------------------- saving and resuming


def through_file(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def through_pickle(state):
    return pickle.loads(pickle.dumps(state))


@pytest.mark.parametrize("transport", [copy.deepcopy, through_pickle, through_file])
@pytest.mark.parametrize("done", [0, 1, 9, 25])
def test_state_dict_resumes_as_if_uninterrupted(transport, done):
    optimizer = sgd()
    scheduler = WarmupRestarts(optimizer, **PARAMS)
    advance(optimizer, scheduler, done)
    saved = transport({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()})

    optimizer = sgd()
    scheduler = WarmupRestarts(optimizer, T_0=50)  # the state brings its own arguments
    optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["scheduler"])
    assert scheduler.get_last_lr() == lrs(optimizer)
    assert advance(optimizer, scheduler, 60) == uninterrupted(done + 60)[done:]


@pytest.mark.parametrize("clone", [copy.deepcopy, through_pickle])
def test_the_pair_can_be_pickled_in_mid_run(clone):
    optimizer = sgd()
    scheduler = WarmupRestarts(optimizer, **PARAMS)
    advance(optimizer, scheduler, 12)
    optimizer, scheduler = clone((optimizer, scheduler))
    assert scheduler.optimizer is optimizer
    assert advance(optimizer, scheduler, 60) == uninterrupted(72)[12:]


def test_last_epoch_resumes_from_initial_lr():
    optimizer = sgd([9.0, 9.0, 9.0])
    for group, lr in zip(optimizer.param_groups, RATES, strict=True):
        group["initial_lr"] = lr
    scheduler = WarmupRestarts(optimizer, **PARAMS, last_epoch=11)  # step 11 is finished
    assert scheduler.last_epoch == 12
    assert advance(optimizer, scheduler, 40) == uninterrupted(52)[12:]


def test_step_to_an_epoch_jumps_there():
    optimizer = sgd()
    scheduler = WarmupRestarts(optimizer, **PARAMS)
    optimizer.step()
    for epoch in (30, 4, 10.5):
        with pytest.warns(UserWarning, match="epoch parameter"):
            scheduler.step(epoch)
        expected = [formulas.warmup_restarts(epoch, lr, **PARAMS) for lr in RATES]
        assert scheduler.get_last_lr() == lrs(optimizer) == expected
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(30)
    assert advance(optimizer, scheduler, 20) == uninterrupted(50)[30:]


# ----------------------------------------------------------------------- with other schedulers


@pytest.mark.parametrize("first", [True, False], ids=["first", "behind a milestone"])
def test_inside_sequential(first):
    optimizer = sgd()
    schedulers = [WarmupRestarts(optimizer, **PARAMS), torch_lr.ExponentialLR(optimizer, 0.9)]
    schedulers = schedulers if first else schedulers[::-1]
    sequence = torch_lr.SequentialLR(optimizer, schedulers, milestones=[15])
    seen = advance(optimizer, sequence, 60)
    assert (seen[:15] if first else seen[15:]) == uninterrupted(45)[: 15 if first else 45]


def test_inside_chained_it_sets_every_rate_anew():
    """As LambdaLR does: earlier schedulers are wiped out, later ones act for one step only."""
    optimizer = sgd()
    schedulers = [
        torch_lr.StepLR(optimizer, step_size=2),
        WarmupRestarts(optimizer, **PARAMS),
        torch_lr.ExponentialLR(optimizer, 0.5),
    ]
    seen = advance(optimizer, torch_lr.ChainedScheduler(schedulers), 40)
    alone = uninterrupted(40)
    assert seen == alone[:1] + [[lr / 2 for lr in rates] for rates in alone[1:]]


# ------------------------------------------------------------------------------ bad arguments

BAD = [
    ({"T_0": 3}, r"T_0=3: allowed is an int above T_up=3"),
    ({"T_0": 7.0}, r"T_0=7\.0: allowed is an int"),
    ({"T_0": True, "T_up": 0}, r"T_0=True: allowed is an int"),
    ({"T_0": "7"}, r"T_0='7': allowed is an int"),
    ({"T_mult": 0}, r"T_mult=0: allowed is an int of 1 or more"),
    ({"T_mult": 1.5}, r"T_mult=1\.5: allowed is an int"),
    ({"T_mult": True}, r"T_mult=True: allowed is an int"),
    ({"T_up": -1}, r"T_up=-1: allowed is an int of 0 or more"),
    ({"T_up": 2.0}, r"T_up=2\.0: allowed is an int"),
    ({"T_up": False}, r"T_up=False: allowed is an int"),
    ({"gamma": 0.0}, r"gamma=0\.0: allowed is above 0, at most 1"),
    ({"gamma": 1.01}, r"gamma=1\.01: allowed is above 0, at most 1"),
    ({"gamma": float("nan")}, r"gamma=nan: allowed is"),
    ({"gamma": None}, r"gamma=None: allowed is"),
    ({"eta_min": -0.1}, r"eta_min=-0\.1: allowed is a rate of 0 or more"),
    ({"eta_min": float("inf")}, r"eta_min=inf: allowed is"),
    ({"eta_min": 0.2}, r"eta_min=0\.2: .* group 1 has 0\.1"),
    ({"last_epoch": -2}, r"last_epoch=-2: allowed is an int >= -1"),
]


@pytest.mark.parametrize("bad, message", BAD)
def test_bad_arguments_are_named_and_leave_the_optimizer_untouched(bad, message):
    optimizer = sgd()
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        WarmupRestarts(optimizer, **{**PARAMS, **bad})
    assert optimizer.state_dict() == before  # no initial_lr in the groups
    assert "step" not in vars(optimizer)  # nor torch's wrapper around step


def test_resuming_without_initial_lr_leaves_the_optimizer_untouched():
    optimizer = sgd()
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(KeyError, match=r"initial_lr.*param_groups\[0\]"):
        WarmupRestarts(optimizer, **PARAMS, last_epoch=5)
    assert optimizer.state_dict() == before


def test_no_optimizer():
    with pytest.raises(
        TypeError, match=r"optimizer=\[0\.1\]: allowed is a torch\.optim\.Optimizer"
    ):
        WarmupRestarts([0.1], **PARAMS)
