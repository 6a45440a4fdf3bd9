"""The schedulers that take part, and the arguments that each gets in the two experiments."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch.optim import lr_scheduler as torch_schedulers
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    SequentialLR,
)

from lrcore.formulas import cooldown_share
from lrcore.schedulers import WarmupRestarts

# A run needs that many steps: in a shorter one a warm-up of a thirtieth would have none at all.
MIN_STEPS = 30


class Entry(NamedTuple):
    """One scheduler in one experiment.

    `make(optimizer, **arguments)` returns the scheduler. `arguments(n, lr)` are those for a run in
    which it steps `n` times and whose peak rate is `lr`: plain numbers, so that a result can name
    them. `looks` is how often it steps in a run: "step" for once after each optimizer step,
    "epoch" for once an epoch, a number for that many times in equal distances.
    """

    make: Callable
    arguments: Callable[[int, float], dict[str, Any]]
    looks: int | str

    def every(self, steps, epochs):
        """Optimizer steps from one scheduler step to the next, in a run of `steps`."""
        times = {"step": steps, "epoch": epochs}.get(self.looks, self.looks)
        return max(1, steps // times)


def constant(optimizer):
    """The baseline: the rate stays where it is."""
    return ConstantLR(optimizer, factor=1.0, total_iters=0)


def inverse_square_root(optimizer, warmup_steps):
    """A straight warm-up, then 1 / sqrt(t): the schedule of the first Transformer."""

    def factor(t):
        return min((t + 1) / warmup_steps, (warmup_steps / (t + 1)) ** 0.5)

    return LambdaLR(optimizer, factor)


def hold_then_decay(optimizer, hold_steps, gamma):
    """Constant for hold_steps, from there on times gamma at each step."""
    return MultiplicativeLR(optimizer, lambda t: 1.0 if t <= hold_steps else gamma)


def cycle(n, lr, cycle_momentum):
    """The arguments of CyclicLR for three cycles in `n` steps."""
    arguments = {"base_lr": lr / 25, "max_lr": lr, "step_size_up": -(-n // 6)}
    return {**arguments, "cycle_momentum": cycle_momentum}


def warmup_constant(optimizer, warmup_steps):
    """A straight warm-up from a twentieth of the rate, then the rate stays."""
    return LinearLR(optimizer, start_factor=0.05, total_iters=warmup_steps)


def warmup_linear(optimizer, warmup_steps, decay_steps):
    """A straight warm-up from a twentieth of the rate, then a straight line to 0."""
    warmup = LinearLR(optimizer, start_factor=0.05, total_iters=warmup_steps)
    decay = LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=decay_steps)
    return SequentialLR(optimizer, [warmup, decay], milestones=[warmup_steps])


def warmup_cosine(optimizer, warmup_steps, T_max):
    """A straight warm-up from a twentieth of the rate, then cosine annealing to 0."""
    warmup = LinearLR(optimizer, start_factor=0.05, total_iters=warmup_steps)
    cosine = CosineAnnealingLR(optimizer, T_max=T_max)
    return SequentialLR(optimizer, [warmup, cosine], milestones=[warmup_steps])


def warmup_stable_decay(optimizer, warmup_steps, decay_start, decay_steps):
    """WSD: a straight warm-up, a constant rate, a straight cooldown to 0."""
    cooldown = LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=decay_steps)
    return cooled(optimizer, warmup_steps, decay_start, cooldown)


def wsd_shaped(optimizer, warmup_steps, decay_start, decay_steps, decay):
    """WSD with another shape of the cooldown, see `lrcore.formulas.cooldown_share`."""
    cooldown = LambdaLR(optimizer, lambda t: cooldown_share(min(1.0, t / decay_steps), decay))
    return cooled(optimizer, warmup_steps, decay_start, cooldown)


def cooled(optimizer, warmup_steps, decay_start, cooldown):
    """A straight warm-up from a twentieth of the rate, a constant rate, the cooldown."""
    warmup = LinearLR(optimizer, start_factor=0.05, total_iters=warmup_steps)
    stable = ConstantLR(optimizer, factor=1.0, total_iters=0)
    return SequentialLR(optimizer, [warmup, stable, cooldown], [warmup_steps, decay_start])


def quarter_cooled(n):
    """The arguments of WSD for `n` steps: a tenth of them climbs, the last quarter cools down."""
    return {"warmup_steps": n // 10, "decay_start": n - n // 4, "decay_steps": n // 4}


def warmup_exponential(optimizer, warmup_steps, gamma):
    """A straight warm-up and an exponential decay at the same time."""
    warmup = LinearLR(optimizer, start_factor=0.05, total_iters=warmup_steps)
    return ChainedScheduler([warmup, ExponentialLR(optimizer, gamma=gamma)], optimizer=optimizer)


def power(optimizer, gamma):
    """gamma ** t by LambdaLR, as in PyTorch's example."""
    return LambdaLR(optimizer, lambda t: gamma**t)


def product(optimizer, gamma):
    """The same by MultiplicativeLR."""
    return MultiplicativeLR(optimizer, lambda t: gamma)


def example_parts(optimizer):
    """The two parts of PyTorch's examples of ChainedScheduler and SequentialLR."""
    low = ConstantLR(optimizer, factor=0.1, total_iters=20)
    return [low, ExponentialLR(optimizer, gamma=0.9)]


def chained_example(optimizer):
    return ChainedScheduler(example_parts(optimizer), optimizer=optimizer)


def sequential_example(optimizer):
    return SequentialLR(optimizer, example_parts(optimizer), milestones=[20])


def entry(scheduler, arguments=lambda n, lr: {}, looks="step"):
    """An `Entry`: a scheduler, and the arguments that it gets in a run.

    Args:
        scheduler: a function that is called as `scheduler(optimizer, **arguments)` and returns a
            scheduler, or the name of a class in `torch.optim.lr_scheduler`.
        arguments: a function of n and lr that returns the scheduler's arguments as a dict of plain
            numbers, so that a result can name them: n is how often it steps in the run, lr is the
            peak rate.
        looks: how often it steps: "step" for once after each optimizer step, "epoch" for once an
            epoch, a number for that many times in a run, in equal distances.

    Returns:
        An `Entry`, as they stand in `FAIR` and `DEFAULTS`.

    Example:
        >>> halves = entry("StepLR", lambda n, lr: {"step_size": n // 2, "gamma": 0.1})
        >>> halves.arguments(100, 0.5)
        {'step_size': 50, 'gamma': 0.1}
        >>> halves.make
        <class 'torch.optim.lr_scheduler.StepLR'>
    """
    make = getattr(torch_schedulers, scheduler) if isinstance(scheduler, str) else scheduler
    return Entry(make, arguments, looks)


# Each gets the whole run as its horizon. What is not a horizon is a round number of common use,
# the same for all that share it: a warm-up of a tenth of the run, a decay to a hundredth.
FAIR = {
    "constant": entry(constant),
    "lambda_lr": entry(inverse_square_root, lambda n, lr: {"warmup_steps": n // 10}),
    "multiplicative_lr": entry(
        hold_then_decay, lambda n, lr: {"hold_steps": n // 2, "gamma": 0.01 ** (1 / (n - n // 2))}
    ),
    "exponential_lr": entry("ExponentialLR", lambda n, lr: {"gamma": 0.01 ** (1 / n)}),
    "polynomial_lr": entry("PolynomialLR", lambda n, lr: {"total_iters": n, "power": 2.0}),
    "linear_lr": entry(
        "LinearLR", lambda n, lr: {"start_factor": 1.0, "end_factor": 0.0, "total_iters": n}
    ),
    "constant_lr": entry("ConstantLR", lambda n, lr: {"factor": 1 / 3, "total_iters": n // 10}),
    "step_lr": entry("StepLR", lambda n, lr: {"step_size": -(-n // 3), "gamma": 0.1}),
    "multi_step_lr": entry(
        "MultiStepLR", lambda n, lr: {"milestones": [n // 2, 3 * n // 4], "gamma": 0.1}
    ),
    "reduce_lr_on_plateau": entry(
        "ReduceLROnPlateau", lambda n, lr: {"factor": 0.3, "patience": 1}, looks=16
    ),
    "cosine_annealing_lr": entry("CosineAnnealingLR", lambda n, lr: {"T_max": n}),
    "cosine_annealing_warm_restarts": entry(
        "CosineAnnealingWarmRestarts", lambda n, lr: {"T_0": -(-n // 3), "T_mult": 2}
    ),
    "warmup_restarts": entry(WarmupRestarts, lambda n, lr: {"T_0": -(-n // 3), "T_up": n // 30}),
    "decaying_restarts": entry(
        WarmupRestarts, lambda n, lr: {"T_0": -(-n // 3), "T_up": n // 30, "gamma": 0.5}
    ),
    # these two move the momentum too, if they are let: no other does, so that is a row of its own
    "cyclic_lr": entry("CyclicLR", lambda n, lr: cycle(n, lr, cycle_momentum=False)),
    "cyclic_momentum": entry("CyclicLR", lambda n, lr: cycle(n, lr, cycle_momentum=True)),
    "one_cycle_lr": entry(
        "OneCycleLR", lambda n, lr: {"max_lr": lr, "total_steps": n, "cycle_momentum": False}
    ),
    "one_cycle_momentum": entry(
        "OneCycleLR", lambda n, lr: {"max_lr": lr, "total_steps": n, "cycle_momentum": True}
    ),
    "warmup_constant": entry(warmup_constant, lambda n, lr: {"warmup_steps": n // 10}),
    "warmup_linear": entry(
        warmup_linear, lambda n, lr: {"warmup_steps": n // 10, "decay_steps": n - n // 10}
    ),
    "warmup_cosine": entry(
        warmup_cosine, lambda n, lr: {"warmup_steps": n // 10, "T_max": n - n // 10}
    ),
    "warmup_stable_decay": entry(warmup_stable_decay, lambda n, lr: quarter_cooled(n)),
    "wsd_cosine": entry(wsd_shaped, lambda n, lr: {**quarter_cooled(n), "decay": "cosine"}),
    "wsd_1_sqrt": entry(wsd_shaped, lambda n, lr: {**quarter_cooled(n), "decay": "1-sqrt"}),
    "chained_scheduler": entry(
        warmup_exponential, lambda n, lr: {"warmup_steps": n // 10, "gamma": 0.01 ** (1 / n)}
    ),
}

# the other cooldowns of WSD, which a plan of its own compares
COOLDOWNS = ("wsd_cosine", "wsd_1_sqrt")

# What torch sets by itself stays. What it asks for is what the example in the class's own
# docstring gives, and the scheduler steps as often as it does there: once an epoch for all but
# CyclicLR and OneCycleLR. `T_max` and `total_steps` are the length of the run, as in the examples.
DEFAULTS = {
    "constant": entry(constant),
    "lambda_lr": entry(power, lambda n, lr: {"gamma": 0.95}, looks="epoch"),
    "multiplicative_lr": entry(product, lambda n, lr: {"gamma": 0.95}, looks="epoch"),
    "exponential_lr": entry("ExponentialLR", lambda n, lr: {"gamma": 0.95}, looks="epoch"),
    "polynomial_lr": entry("PolynomialLR", looks="epoch"),
    "linear_lr": entry("LinearLR", looks="epoch"),
    "constant_lr": entry("ConstantLR", looks="epoch"),
    "step_lr": entry("StepLR", lambda n, lr: {"step_size": 30}, looks="epoch"),
    "multi_step_lr": entry("MultiStepLR", lambda n, lr: {"milestones": [30, 80]}, looks="epoch"),
    "reduce_lr_on_plateau": entry("ReduceLROnPlateau", looks="epoch"),
    "cosine_annealing_lr": entry("CosineAnnealingLR", lambda n, lr: {"T_max": n}, looks="epoch"),
    "cosine_annealing_warm_restarts": entry(
        "CosineAnnealingWarmRestarts", lambda n, lr: {"T_0": 20}, looks="epoch"
    ),
    "cyclic_lr": entry("CyclicLR", lambda n, lr: {"base_lr": 0.01, "max_lr": 0.1}),
    "one_cycle_lr": entry("OneCycleLR", lambda n, lr: {"max_lr": 0.01, "total_steps": n}),
    "sequential_lr": entry(sequential_example, looks="epoch"),
    "chained_scheduler": entry(chained_example, looks="epoch"),
}

# The length of a run is not always known when it starts. In a run of n steps: a schedule planned
# for n, and one planned for twice as many that is stopped at n. Warm-up stable decay needs no plan
# before its cooldown: from a checkpoint of the long run, at three quarters of n, it cools down.
HORIZON = {
    "cosine_planned_right": FAIR["cosine_annealing_lr"],
    "cosine_planned_double": entry("CosineAnnealingLR", lambda n, lr: {"T_max": 2 * n}),
    "wsd_planned_right": FAIR["warmup_stable_decay"],
    "wsd_from_checkpoint": entry(
        warmup_stable_decay,
        lambda n, lr: {**quarter_cooled(n), "warmup_steps": 2 * n // 10},
    ),
    "wsd_not_cooled": entry(warmup_constant, lambda n, lr: {"warmup_steps": 2 * n // 10}),
}

# the scheduler of the fair test that each takes its rate from
TUNED_AS = {
    "cosine_planned_right": "cosine_annealing_lr",
    "cosine_planned_double": "cosine_annealing_lr",
    "wsd_planned_right": "warmup_stable_decay",
    "wsd_from_checkpoint": "warmup_stable_decay",
    "wsd_not_cooled": "warmup_stable_decay",
}

EXPERIMENTS = {"defaults": DEFAULTS, "tuning": FAIR, "fair": FAIR, "horizon": HORIZON}
