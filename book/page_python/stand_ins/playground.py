"""What the playground asks of Python: the curves of what a reader wrote there."""

import json
import math

import torch
from lrcore import toy, trace
from torch.optim.lr_scheduler import ReduceLROnPlateau

TRIED = 40  # peak rates, until the best cosine is found
noise = []  # as drawn for the longest run so far: a shorter one begins with the same


def remembered(count, seed, draw=toy.normals):
    """What `toy.normals` gives for the one seed that is used here, drawn once: it takes long."""
    if len(noise) < count:
        noise[:] = draw(count, seed)
    return noise


toy.normals = remembered


def curves(names, values, steps, lr):
    """The curves of `scheduler(optimizer, ...)` or `rate(t, ...)` in `names`, as JSON.

    `values` are the numbers that its sliders stand at.
    """
    momenta = None
    if callable(names.get("scheduler")):
        made = of_scheduler(names["scheduler"], values, steps, lr)
        rates = made.lr
        if min(made.momentum) < max(made.momentum):
            momenta = made.momentum
    elif callable(names.get("rate")):
        rates = [of_rate(names["rate"], t, values) for t in range(steps)]
    else:
        raise NameError("write a function scheduler(optimizer, ...) or rate(t, ...)")
    for t, rate in enumerate(rates):
        if not math.isfinite(rate):
            raise ValueError("the rate of step " + str(t) + " is " + str(rate))
    return as_json(rates, momenta)


def of_scheduler(function, values, steps, lr):
    def build(optimizer):
        built = function(optimizer, **values)
        if built is None or not hasattr(built, "step"):
            raise TypeError("scheduler(optimizer, ...) must return a scheduler, not " + repr(built))
        return built

    optimizer = torch.optim.SGD([torch.nn.Parameter()], lr=lr, momentum=0.9)
    plateau = isinstance(build(optimizer), ReduceLROnPlateau)
    return trace(build, steps, lr, toy.validation_loss if plateau else None)


def of_rate(function, t, values):
    rate = function(t, **values)
    if not isinstance(rate, (int, float)):
        raise TypeError("rate(" + str(t) + ") gives " + repr(rate) + ", which is no number")
    return float(rate)


def as_json(rates, momenta=None):
    """Rates and what follows from them, with null for what is too large for a page."""
    losses = [finite(loss) for loss in toy.expected_losses(rates)]
    path = [[finite(w) for w in place] for place in toy.noisy_path(rates)]
    return json.dumps({"rate": rates, "momentum": momenta, "loss": losses, "path": path})


def finite(number):
    return number if abs(number) < 1e300 else None


def best_cosine(steps):
    """Peak rate and final loss of the cosine to 0 that ends lowest, as JSON."""

    def final(peak):
        rates = [peak * (1 + math.cos(math.pi * t / steps)) / 2 for t in range(steps)]
        loss = toy.expected_losses(rates)[-1]
        return loss if loss == loss else math.inf

    low, high = math.log(0.01), math.log(3)
    for _ in range(TRIED // 2):
        third = (high - low) / 3
        if final(math.exp(low + third)) < final(math.exp(high - third)):
            high = high - third
        else:
            low = low + third
    peak = math.exp((low + high) / 2)
    return json.dumps({"peak": peak, "loss": final(peak)})
