"""Schedulers that torch lacks, as real subclasses of torch's LRScheduler."""

import math
from numbers import Real

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lrcore.formulas import warmup_restarts


class WarmupRestarts(LRScheduler):
    """Cosine annealing with restarts, a warm-up in every cycle and peaks that may decay.

    Each cycle climbs in a straight line from eta_min to its peak within its first T_up steps
    and falls along a cosine back towards eta_min. Each parameter group keeps its own rate:
    the peak of cycle c = 0, 1, 2, ... is the group's first rate times gamma**c, but never
    below eta_min. With T_up=0 and gamma=1 this is torch's CosineAnnealingWarmRestarts.

    The rate depends on last_epoch alone (see lrcore.formulas.warmup_restarts), so resuming by
    state_dict, by last_epoch= or by step(epoch) all lead to the same rates. Momentum is left
    alone. A step is one call of step(), made once a batch or once an epoch.

    Args:
        optimizer: its groups' rates, or their initial_lr where one is set, are the first
            peaks.
        T_0: steps in the first cycle, its climb included; an int above T_up.
        T_mult: the falling part of a cycle is T_mult times as long as the one before; an
            int of 1 or more.
        T_up: steps of the climb in every cycle; an int of 0 or more. 0: no climb.
        gamma: factor from one peak to the next, above 0 and at most 1.
        eta_min: the lowest rate, a number from 0 up to the smallest rate of the groups.
        last_epoch: index of the last finished step when resuming; -1 for a new run.

    Raises:
        TypeError: optimizer is no torch optimizer.
        ValueError: another argument is outside of what is allowed.
        KeyError: last_epoch is 0 or more and a group lacks initial_lr.
        In each case the optimizer is left as it was.

    Source:
        SGDR, https://arxiv.org/abs/1608.03983, and the CosineAnnealingWarmUpRestarts of
        gaussian37.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        >>> scheduler = WarmupRestarts(optimizer, T_0=10, T_up=2)
        >>> scheduler.get_last_lr()
        [0.0]
    """

    def __init__(self, optimizer, T_0, T_mult=1, T_up=0, gamma=1.0, eta_min=0.0, last_epoch=-1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer={optimizer!r}: allowed is a torch.optim.Optimizer")
        _require(_is_int(T_mult) and T_mult >= 1, "T_mult", T_mult, "an int of 1 or more")
        _require(_is_int(T_up) and T_up >= 0, "T_up", T_up, "an int of 0 or more")
        _require(_is_int(T_0) and T_0 > T_up, "T_0", T_0, f"an int above T_up={T_up}")
        _require(_is_number(gamma) and 0 < gamma <= 1, "gamma", gamma, "above 0, at most 1")
        _require(_is_number(eta_min) and eta_min >= 0, "eta_min", eta_min, "a rate of 0 or more")
        _require(_is_int(last_epoch) and last_epoch >= -1, "last_epoch", last_epoch, "an int >= -1")
        for i, group in enumerate(optimizer.param_groups):
            rate = float(group.get("initial_lr", group["lr"]))
            allowed = f"at most the rate of every group, and group {i} has {rate}"
            _require(eta_min <= rate, "eta_min", eta_min, allowed)

        self.T_0 = T_0
        self.T_mult = T_mult
        self.T_up = T_up
        self.gamma = float(gamma)
        self.eta_min = float(eta_min)
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """Rates of all groups at last_epoch; LRScheduler.step() calls this."""
        return [
            warmup_restarts(
                self.last_epoch,
                float(base_lr),
                self.T_0,
                self.T_mult,
                self.T_up,
                self.gamma,
                self.eta_min,
            )
            for base_lr in self.base_lrs
        ]


def _require(holds, name, value, allowed):
    if not holds:
        raise ValueError(f"{name}={value!r}: allowed is {allowed}")


def _is_int(value):
    # True and False are ints to Python, but no one means them as a count
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
