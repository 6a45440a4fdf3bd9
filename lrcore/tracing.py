"""What torch really does: step a real optimizer and scheduler, and write down the rates."""

import inspect
from typing import NamedTuple

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

LR = 0.5  # the optimizer's own rate, unless another is asked for
STEPS = 100  # optimizer steps
OWN = ("steps", "lr", "metrics", "every")  # parameters of trace, which no scheduler may have too


class Trace(NamedTuple):
    """The learning rate and the momentum that each optimizer step used, one entry per step."""

    lr: list[float]
    momentum: list[float]


def trace(scheduler, steps=STEPS, lr=LR, metrics=None, every=1, **params):
    """Step a scheduler on a fresh SGD optimizer and write down what every optimizer step used.

    Args:
        scheduler: a class of `torch.optim.lr_scheduler`, or any function, that is called as
            `scheduler(optimizer, **params)` and returns a scheduler.
        steps: optimizer steps.
        lr: the rate that the optimizer is made with. Its momentum is 0.9.
        metrics: what `ReduceLROnPlateau` watches, and no other scheduler: one number for each
            `scheduler.step()`, or a function of their count.
        every: optimizer steps for each `scheduler.step()`: 1 for a scheduler that is stepped after
            each batch, the batches of an epoch for one that is stepped after each epoch.
        **params: the scheduler's own parameters. One that is called steps, lr, metrics or every is
            given to it beforehand: `functools.partial(Ramp, steps=30)`.

    Returns:
        A `Trace`: the lists `lr` and `momentum`, each of length steps. Entry t is what step t
        used, for it is recorded *before* each `optimizer.step()`.

    Raises:
        ValueError: steps, every or metrics are not what is allowed.
        TypeError: the scheduler has a parameter called steps, lr, metrics or every.
        What the scheduler raises comes as it is.

    Example:
        >>> from torch.optim.lr_scheduler import StepLR
        >>> trace(StepLR, steps=4, lr=1.0, step_size=2, gamma=0.5).lr
        [1.0, 1.0, 0.5, 0.5]
    """
    for name, value, least in (("steps", steps, 0), ("every", every, 1)):
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{name}={value!r}: allowed is a whole number, {least} or more")
    check_own_names("trace", scheduler)
    calls = steps // every
    if callable(metrics):
        metrics = [metrics(k) for k in range(calls)]
    if metrics is not None and len(metrics) < calls:
        got = len(metrics)
        raise ValueError(f"metrics has {got} values: needed is one for each of {calls} steps")
    rows = list(trace_steps(scheduler, steps, lr, metrics, every, params))
    return Trace([rate for rate, _ in rows], [momentum for _, momentum in rows])


def check_own_names(caller, scheduler, own=OWN):
    """Raise TypeError if a scheduler has a parameter that could not be told from the caller's."""
    given = getattr(scheduler, "keywords", {})  # by functools.partial
    for name in inspect.signature(scheduler).parameters:
        if name in own and name not in given:
            raise TypeError(
                f"{caller} has a parameter {name!r} of its own, and so has {scheduler.__name__}: "
                "pass a function of the optimizer that gives it another name"
            )


def trace_steps(scheduler, steps, lr, metrics, every, params):
    """`trace` step by step, for callers that outlive an error.

    Args:
        scheduler: as in `trace`, and so are the others.
        steps: optimizer steps.
        lr: the rate that the optimizer is made with.
        metrics: a list with one number for each `scheduler.step()`, or None.
        every: optimizer steps for each `scheduler.step()`.
        params: the scheduler's own parameters, {name: value}.

    Returns:
        An iterator over (learning rate, momentum), one pair for each optimizer step.

    Raises:
        ValueError: metrics for a scheduler that watches none, or none for one that does.

    Example:
        >>> from torch.optim.lr_scheduler import StepLR
        >>> list(trace_steps(StepLR, 2, 0.5, None, every=1, params={"step_size": 1}))
        [(0.5, 0.9), (0.05, 0.9)]
    """
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
        if (t + 1) % every == 0:
            scheduler.step(*([metrics[t // every]] if needs_metric else []))
