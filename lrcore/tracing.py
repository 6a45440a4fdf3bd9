"""What torch really does: step a real optimizer and scheduler, and write down the rates."""

import inspect
from typing import NamedTuple

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

LR = 0.5  # the optimizer's own rate, unless another is asked for
STEPS = 100  # optimizer steps
OWN = ("steps", "lr", "metrics")  # what trace and explore keep for themselves


class Trace(NamedTuple):
    """The learning rate and the momentum that each optimizer step used, one entry per step."""

    lr: list[float]
    momentum: list[float]


def trace(scheduler, steps=STEPS, lr=LR, metrics=None, **params):
    """Step a scheduler on a fresh SGD optimizer and write down what every optimizer step used.

    Args:
        scheduler: a class of `torch.optim.lr_scheduler`, or any function, that is called as
            `scheduler(optimizer, **params)` and returns a scheduler.
        steps: optimizer steps, with one `scheduler.step()` after each.
        lr: the rate that the optimizer is made with. Its momentum is 0.9.
        metrics: what `ReduceLROnPlateau` watches, and no other scheduler: one number for each
            step, or a function of the step.
        **params: the scheduler's own parameters. One that is called steps, lr or metrics is given
            to it beforehand: `functools.partial(Ramp, steps=30)`.

    Returns:
        A `Trace`: the lists `lr` and `momentum`, each of length steps. Entry t is what step t
        used, for it is recorded *before* each `optimizer.step()`.

    Raises:
        ValueError: steps or metrics are not what is allowed.
        TypeError: the scheduler has a parameter called steps, lr or metrics.
        What the scheduler raises comes as it is.

    Example:
        >>> from torch.optim.lr_scheduler import StepLR
        >>> trace(StepLR, steps=4, lr=1.0, step_size=2, gamma=0.5).lr
        [1.0, 1.0, 0.5, 0.5]
    """
    if not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps={steps!r}: allowed is a whole number, 0 or more")
    check_own_names("trace", scheduler)
    if callable(metrics):
        metrics = [metrics(t) for t in range(steps)]
    if metrics is not None and len(metrics) < steps:
        got = len(metrics)
        raise ValueError(f"metrics has {got} values: needed is one for each of {steps} steps")
    rows = list(trace_steps(scheduler, steps, lr, metrics, params))
    return Trace([rate for rate, _ in rows], [momentum for _, momentum in rows])


def check_own_names(caller, scheduler):
    """Raise TypeError if a scheduler has a parameter that could not be told from the caller's."""
    given = getattr(scheduler, "keywords", {})  # by functools.partial
    for name in inspect.signature(scheduler).parameters:
        if name in OWN and name not in given:
            raise TypeError(
                f"{caller} has a parameter {name!r} of its own, and so has {scheduler.__name__}: "
                "pass a function of the optimizer that gives it another name"
            )


def trace_steps(scheduler, steps, lr, metrics, params):
    """Yield (learning rate, momentum) step by step: `trace` for callers that outlive an error."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    scheduler = scheduler(optimizer, **params)
    needs_metric = isinstance(scheduler, ReduceLROnPlateau)
    if needs_metric != (metrics is not None):
        raise ValueError(
            f"metrics={metrics!r}: {type(scheduler).__name__} "
            + ("needs one metric for each step" if needs_metric else "takes no metric")
        )
    group = optimizer.param_groups[0]
    for t in range(steps):
        yield float(group["lr"]), float(group["momentum"])
        optimizer.step()
        if needs_metric:
            scheduler.step(metrics[t])
        else:
            scheduler.step()
