"""What torch really does: step a real optimizer and scheduler, and write down the rates."""

from typing import NamedTuple

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau


class Trace(NamedTuple):
    """The learning rate and the momentum that each optimizer step used, one entry per step."""

    lr: list[float]
    momentum: list[float]


def trace(scheduler, steps, lr=0.1, metrics=None, **params):
    """Step `scheduler` on a fresh SGD optimizer and return what every optimizer step used.

    `scheduler` is a class of `torch.optim.lr_scheduler`, or any function, that is called as
    `scheduler(optimizer, **params)`. `steps` counts optimizer steps, with one `scheduler.step()`
    after each. `lr` is the rate the optimizer is made with (its momentum is 0.9). `metrics` holds
    one value per step, for ReduceLROnPlateau alone.

    Returns a `Trace`: lists `lr` and `momentum`, each of length `steps`, recorded *before* each
    `optimizer.step()`, so that entry t is what step t used.

    Raises ValueError for a wrong `steps` or `metrics`, and whatever torch raises.
    """
    if not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps={steps!r}: allowed is a whole number, 0 or more")
    if metrics is not None and len(metrics) < steps:
        got = len(metrics)
        raise ValueError(f"metrics has {got} values: needed is one for each of {steps} steps")
    rows = list(trace_steps(scheduler, steps, lr, metrics, params))
    return Trace([rate for rate, _ in rows], [momentum for _, momentum in rows])


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
