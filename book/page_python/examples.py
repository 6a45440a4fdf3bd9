"""What the playground offers to start from: one schedule of each family."""

EXAMPLES = {
    "warm-up, then cosine": """\
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR


def scheduler(optimizer, warmup=10, end=100):
    climb = LinearLR(optimizer, start_factor=0.1, total_iters=warmup)
    cosine = CosineAnnealingLR(optimizer, T_max=end - warmup)
    return SequentialLR(optimizer, [climb, cosine], milestones=[warmup])
""",
    "stairs": """\
from torch.optim.lr_scheduler import StepLR


def scheduler(optimizer, step_size=30, gamma=0.1):
    return StepLR(optimizer, step_size=step_size, gamma=gamma)
""",
    "when progress stalls": """\
from torch.optim.lr_scheduler import ReduceLROnPlateau


def scheduler(optimizer, factor=0.3, patience=5):
    return ReduceLROnPlateau(optimizer, factor=factor, patience=patience)
""",
    "exponential decay": """\
from torch.optim.lr_scheduler import ExponentialLR


def scheduler(optimizer, gamma=0.97):
    return ExponentialLR(optimizer, gamma=gamma)
""",
    "a line to zero, after a warm-up": """\
def rate(t, peak=0.5, warmup=10, end=100):
    if t < warmup:
        return peak * (t + 1) / warmup
    return peak * max(0, end - t) / (end - warmup)
""",
    "cosine annealing": """\
from torch.optim.lr_scheduler import CosineAnnealingLR


def scheduler(optimizer, T_max=100, eta_min=0.0):
    return CosineAnnealingLR(optimizer, T_max=T_max, eta_min=eta_min)
""",
    "warm restarts": """\
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts


def scheduler(optimizer, T_0=20, T_mult=2):
    return CosineAnnealingWarmRestarts(optimizer, T_0=T_0, T_mult=T_mult)
""",
    "triangles": """\
from torch.optim.lr_scheduler import CyclicLR


def scheduler(optimizer, base_lr=0.05, max_lr=0.8, step_size_up=10):
    return CyclicLR(optimizer, base_lr, max_lr, step_size_up, mode="triangular2")
""",
    "one cycle": """\
from torch.optim.lr_scheduler import OneCycleLR


def scheduler(optimizer, max_lr=0.8, total_steps=100, pct_start=0.3):
    return OneCycleLR(optimizer, max_lr, total_steps=total_steps, pct_start=pct_start)
""",
    "two at the same time": """\
from torch.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR


def scheduler(optimizer, factor=0.3, total_iters=10, gamma=0.98):
    low = ConstantLR(optimizer, factor=factor, total_iters=total_iters)
    return ChainedScheduler([low, ExponentialLR(optimizer, gamma=gamma)])
""",
    "cosine with warm-up, down to a tenth": """\
from math import cos, pi

from torch.optim.lr_scheduler import LambdaLR


def scheduler(optimizer, warmup_steps=10, total_steps=100, floor=0.1):
    def factor(t):
        if t < warmup_steps:
            return (t + 1) / (warmup_steps + 1)
        done = min(1, (t - warmup_steps) / (total_steps - warmup_steps))
        return floor + (1 - floor) * (1 + cos(pi * done)) / 2

    return LambdaLR(optimizer, factor)
""",
    "hold, then exponential decay": """\
def rate(t, peak=0.5, hold=60, last=0.05, end=100):
    if t < hold:
        return peak
    return peak * last ** ((t - hold) / (end - hold))
""",
    "warm-up, stable, decay (1 - sqrt)": """\
from math import sqrt


def rate(t, peak=0.5, warmup=5, decay_from=70, end=100):
    if t < warmup:
        return peak * (t + 1) / warmup
    if t < decay_from:
        return peak
    return peak * (1 - sqrt(min(1, (t - decay_from) / (end - decay_from))))
""",
    "inverse square root (Noam)": """\
from math import sqrt


def rate(t, peak=0.5, warmup=10):
    return peak * min((t + 1) / warmup, sqrt(warmup / (t + 1)))
""",
    "a range test": """\
def rate(t, start=0.001, end_lr=10.0, total_iters=100):
    return start * (end_lr / start) ** (t / total_iters)
""",
}
