"""`trace` writes down what every optimizer step used."""

import functools
import inspect
import warnings

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from lrcore import explore, toy, trace
from lrcore.schedulers import WarmupRestarts


class NotingSGD(torch.optim.SGD):
    """An SGD that writes down the rate and momentum with which each step really ran."""

    used = []

    def step(self, closure=None):
        group = self.param_groups[0]
        self.used.append((group["lr"], group["momentum"]))
        return super().step(closure)


def test_entry_t_is_what_step_t_used(monkeypatch):
    monkeypatch.setattr(torch.optim, "SGD", NotingSGD)
    monkeypatch.setattr(NotingSGD, "used", [])
    traced = trace(lr_scheduler.OneCycleLR, 20, max_lr=1.0, total_steps=20)
    assert NotingSGD.used == list(zip(traced.lr, traced.momentum, strict=True))


def test_the_first_rate_is_not_skipped():
    assert trace(lr_scheduler.StepLR, 5, lr=1.0, step_size=2).lr == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01]
    )


def test_each_call_has_a_fresh_optimizer():
    first = trace(lr_scheduler.ExponentialLR, 30, lr=0.3, gamma=0.9)
    assert first == trace(lr_scheduler.ExponentialLR, 30, lr=0.3, gamma=0.9)
    assert first.lr[0] == 0.3


def test_lr_is_the_optimizers_own_rate():
    assert trace(lr_scheduler.ConstantLR, 1, lr=0.6, factor=0.5).lr == pytest.approx([0.3])


def test_trace_and_explore_agree_on_what_is_not_said():
    explorer = explore(lr_scheduler.StepLR, step_size=30)
    assert explorer.curves(explorer.start).rate == trace(lr_scheduler.StepLR, step_size=30).lr
    of_trace, of_explore = (inspect.signature(f).parameters for f in (trace, explore))
    assert list(of_trace)[:5] == list(of_explore)[:5]
    assert list(of_trace)[:5] == ["scheduler", "steps", "lr", "metrics", "every"]
    for name in list(of_trace)[:5]:
        assert of_trace[name].default == of_explore[name].default


class Ramp(lr_scheduler.LRScheduler):
    """A scheduler with a parameter that trace and explore have too."""

    def __init__(self, optimizer, steps):
        self.steps = steps
        super().__init__(optimizer)

    def get_lr(self):
        return [lr * min(1, (self.last_epoch + 1) / self.steps) for lr in self.base_lrs]


# every parameter of the two but the scheduler and what is the scheduler's
OWN = [
    (call, name)
    for call in (trace, explore)
    for name, parameter in inspect.signature(call).parameters.items()
    if name != "scheduler" and parameter.kind != parameter.VAR_KEYWORD
]


def test_both_have_names_of_their_own():
    assert (trace, "every") in OWN and (explore, "path") in OWN and (trace, "path") not in OWN


@pytest.mark.parametrize(("call", "name"), OWN)
def test_a_parameter_that_could_be_meant_for_either_is_refused(call, name):
    namespace = {}
    exec(f"def scheduler(optimizer, {name}=None): pass", namespace)
    message = f"{call.__name__} has a parameter '{name}' of its own, and so has scheduler: pass a"
    with pytest.raises(TypeError, match=message):
        call(namespace["scheduler"])


def ramp(optimizer, ramp_steps=4):
    return Ramp(optimizer, steps=ramp_steps)


def ramp_formula(t, base_lr, ramp_steps):
    return base_lr * min(1, (t + 1) / ramp_steps)


def test_such_a_scheduler_is_given_it_beforehand_or_under_another_name():
    wanted = [0.25, 0.5, 0.75, 1, 1, 1]
    assert trace(functools.partial(Ramp, steps=4), 6, lr=1.0).lr == wanted
    assert trace(ramp, 6, lr=1.0).lr == wanted
    explorer = explore(ramp, formula=ramp_formula, lr=1.0, steps=6, ramp_steps=(2, 8))
    assert explorer.curves({**explorer.start, "ramp_steps": 4}).rate == wanted


def test_metrics_may_be_a_function_of_the_step():
    listed = [toy.validation_loss(t) for t in range(60)]
    plateau = functools.partial(trace, lr_scheduler.ReduceLROnPlateau, 60, patience=3)
    assert plateau(metrics=toy.validation_loss) == plateau(metrics=listed)
    assert len(set(plateau(metrics=toy.validation_loss).lr)) > 1


def test_momentum_stays_where_the_scheduler_leaves_it():
    assert trace(lr_scheduler.StepLR, 4, step_size=2).momentum == [0.9] * 4


def test_momentum_of_one_cycle_mirrors_the_rate():
    traced = trace(lr_scheduler.OneCycleLR, 100, max_lr=1.0, total_steps=100)
    assert traced.lr[29] == max(traced.lr) == pytest.approx(1.0)
    assert traced.momentum[29] == min(traced.momentum) == pytest.approx(0.85)
    assert traced.momentum[0] == max(traced.momentum) == pytest.approx(0.95)


def test_momentum_of_cyclic_mirrors_the_rate():
    traced = trace(lr_scheduler.CyclicLR, 9, base_lr=0.1, max_lr=0.5, step_size_up=4)
    assert traced.lr == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1])
    falling = [0.9, 0.875, 0.85, 0.825, 0.8]
    assert traced.momentum == pytest.approx(falling + falling[3::-1])


def test_a_function_may_make_the_scheduler():
    def warm_up_then_cosine(optimizer, warm_up):
        climb = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=warm_up)
        fall = lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
        return lr_scheduler.SequentialLR(optimizer, [climb, fall], milestones=[warm_up])

    rates = trace(warm_up_then_cosine, 16, lr=1.0, warm_up=5).lr
    assert rates[0] == pytest.approx(0.1)
    assert rates[5] == pytest.approx(1.0)
    assert rates[15] == pytest.approx(0.0, abs=1e-12)


def test_a_plateau_sees_one_metric_a_step():
    metrics = [1.0, 0.5, 0.5, 0.5, 0.5]
    traced = trace(lr_scheduler.ReduceLROnPlateau, 5, lr=1.0, metrics=metrics, patience=1)
    assert traced.lr == pytest.approx([1, 1, 1, 1, 0.1])


def test_metrics_may_be_longer_than_needed_but_not_shorter():
    assert len(trace(lr_scheduler.ReduceLROnPlateau, 2, metrics=[1.0] * 9).lr) == 2
    with pytest.raises(ValueError, match="metrics has 1 values: needed is one for each of 2 steps"):
        trace(lr_scheduler.ReduceLROnPlateau, 2, metrics=[1.0])


def test_a_plateau_without_metrics_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="metrics=None: ReduceLROnPlateau needs one metric"):
        trace(lr_scheduler.ReduceLROnPlateau, 3)


def test_metrics_for_a_scheduler_that_watches_none_are_an_error_that_says_so():
    with pytest.raises(ValueError, match=r"metrics=\[1.0, 2.0\]: StepLR takes no metric"):
        trace(lr_scheduler.StepLR, 2, metrics=[1.0, 2.0], step_size=1)


def test_a_scheduler_may_be_stepped_after_every_few_steps():
    assert trace(lr_scheduler.StepLR, 7, lr=1.0, every=3, step_size=1, gamma=0.5).lr == [
        1, 1, 1, 0.5, 0.5, 0.5, 0.25
    ]  # fmt: skip
    seen = []
    trace(lr_scheduler.ReduceLROnPlateau, 7, every=3, metrics=lambda k: seen.append(k) or 1.0)
    assert seen == [0, 1]


@pytest.mark.parametrize("every", [0, 1.0, None])
def test_a_wrong_every_is_named(every):
    with pytest.raises(ValueError, match=f"every={every!r}: allowed is a whole number, 1 or more"):
        trace(lr_scheduler.StepLR, 3, every=every, step_size=1)


@pytest.mark.parametrize("steps", [-1, 2.0, "3", None])
def test_a_wrong_number_of_steps_is_named(steps):
    with pytest.raises(ValueError, match=f"steps={steps!r}: allowed is a whole number"):
        trace(lr_scheduler.StepLR, steps, step_size=1)


def test_no_steps_give_no_rates():
    assert trace(lr_scheduler.StepLR, 0, step_size=1) == ([], [])


def test_what_torch_refuses_stays_torchs_own_error():
    with pytest.raises(ValueError, match="Starting multiplicative factor"):
        trace(lr_scheduler.LinearLR, 3, start_factor=0)


@pytest.mark.parametrize(
    ("scheduler", "params"),
    [
        (lr_scheduler.StepLR, {"step_size": 2}),
        (lr_scheduler.CyclicLR, {"base_lr": 0.1, "max_lr": 1.0}),
        (lr_scheduler.CosineAnnealingWarmRestarts, {"T_0": 3}),
        (lr_scheduler.MultiplicativeLR, {"lr_lambda": lambda t: 0.9}),
        (SWALR, {"swa_lr": 0.05}),
        (WarmupRestarts, {"T_0": 4, "T_up": 1}),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_no_warnings(scheduler, params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace(scheduler, 30, **params)
