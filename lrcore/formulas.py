"""Every learning-rate schedule of torch as one plain function of the step.

In all of them t counts the calls of scheduler.step() so far: 0 is the rate that a new
scheduler sets. Steps, milestones and periods have the unit of those calls, epochs if you
step once an epoch, batches if once a batch. Parameters have torch's names and defaults,
base_lr is the rate of the optimizer before the scheduler is built, and a rate comes back.

The functions import only math and keep to the part of Python that PScript turns into
JavaScript, since the pages of the book run this very text. They leave the ranges of numbers
to torch's constructors and raise only where a schedule would otherwise be wrong in silence.
"""

import math

# ------------------------------------------------- the rate follows a function of your own


def lambda_lr(t, base_lr, lr_lambda):
    """Rate of LambdaLR after t calls of scheduler.step().

    lr_lambda(t) is the factor on the first rate, not on the latest one.
    """
    return base_lr * lr_lambda(t)


def multiplicative_lr(t, base_lr, lr_lambda):
    """Rate of MultiplicativeLR after t calls of scheduler.step().

    lr_lambda(k) is the factor on the latest rate at call k; lr_lambda(0) is never asked.
    """
    lr = base_lr
    for k in range(1, t + 1):
        lr = lr * lr_lambda(k)
    return lr


# ------------------------------------------------------------------------ steps and ramps


def step_lr(t, base_lr, step_size, gamma=0.1):
    """Rate of StepLR after t calls of scheduler.step().

    Every step_size calls the rate is multiplied by gamma.
    """
    return base_lr * gamma ** (t // step_size)


def multi_step_lr(t, base_lr, milestones, gamma=0.1):
    """Rate of MultiStepLR after t calls of scheduler.step().

    At each milestone, a whole number of calls, the rate is multiplied by gamma; a milestone
    that is listed twice counts twice.
    """
    passed = len([m for m in milestones if m <= t])
    return base_lr * gamma**passed


def exponential_lr(t, base_lr, gamma):
    """Rate of ExponentialLR after t calls of scheduler.step().

    Every call multiplies the rate by gamma.
    """
    return base_lr * gamma**t


def constant_lr(t, base_lr, factor=1 / 3, total_iters=5):
    """Rate of ConstantLR after t calls of scheduler.step().

    The rate is base_lr * factor before call total_iters and base_lr from then on. As in torch,
    total_iters=0 never lets go of the factor (pytorch issue 193682). Unlike here, torch raises
    ZeroDivisionError at call total_iters if factor is 0.
    """
    if t < total_iters or total_iters == 0:
        return base_lr * factor
    return base_lr


def linear_lr(t, base_lr, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    """Rate of LinearLR after t calls of scheduler.step().

    The factor on base_lr moves in a straight line from start_factor to end_factor within
    total_iters calls and then stays. As in torch, total_iters=0 stays at start_factor.
    """
    progress = min(t, total_iters) / max(total_iters, 1)
    return base_lr * (start_factor + (end_factor - start_factor) * progress)


def polynomial_lr(t, base_lr, total_iters=5, power=1.0):
    """Rate of PolynomialLR after t calls of scheduler.step().

    The rate falls from base_lr to 0 within total_iters calls and then stays; power=1 falls
    in a straight line, a higher power faster at first. As in torch, total_iters=0 never falls.
    """
    progress = min(t, total_iters) / max(total_iters, 1)
    return base_lr * (1 - progress) ** power


# -------------------------------------------------------------------------------- cosines


def cosine_annealing_lr(t, base_lr, T_max, eta_min=0.0):
    """Rate of CosineAnnealingLR after t calls of scheduler.step().

    Half a cosine wave leads from base_lr down to eta_min, a rate, within T_max calls. The
    wave has no end: at call 2 * T_max the rate is base_lr again. From SGDR, arXiv 1608.03983.
    """
    return eta_min + (base_lr - eta_min) * (1 + math.cos(math.pi * t / T_max)) / 2


def cosine_annealing_warm_restarts(t, base_lr, T_0, T_mult=1, eta_min=0.0):
    """Rate of CosineAnnealingWarmRestarts after t calls of scheduler.step().

    Each cycle falls from base_lr to eta_min, a rate, and jumps back. The first lasts T_0
    calls, each later one T_mult times as long as the one before. From SGDR, arXiv 1608.03983.
    """
    cycle, T_cur, T_i = restart_cycle(t, T_0, T_mult, 0)
    return eta_min + (base_lr - eta_min) * (1 + math.cos(math.pi * T_cur / T_i)) / 2


def warmup_restarts(t, base_lr, T_0, T_mult=1, T_up=0, gamma=1.0, eta_min=0.0):
    """Rate of lrcore.schedulers.WarmupRestarts after t calls of scheduler.step().

    Warm restarts whose every cycle first climbs in a straight line for T_up calls, from
    eta_min to its peak, and then falls along a cosine. The peak of cycle 0 is base_lr; each
    later one is gamma times as high. Only the falling part grows by T_mult.
    """
    cycle, T_cur, T_i = restart_cycle(t, T_0, T_mult, T_up)
    peak = max(base_lr * gamma**cycle, eta_min)
    if T_cur < T_up:
        return eta_min + (peak - eta_min) * T_cur / T_up
    return cosine_annealing_lr(T_cur - T_up, peak, T_i - T_up, eta_min)


def restart_cycle(t, T_0, T_mult, T_up):
    """Where step t lies among cycles: [number of the cycle from 0, steps into it, its length].

    Of each length T_up steps stay as they are and the rest is multiplied by T_mult from one
    cycle to the next. Raises ValueError for cycles that would never add up to t.
    """
    if T_mult < 1 or T_up < 0 or T_0 <= T_up:
        raise ValueError(
            f"T_0={T_0}, T_mult={T_mult}, T_up={T_up}: allowed is T_mult >= 1 and 0 <= T_up < T_0"
        )
    if T_mult == 1:
        return [t // T_0, t % T_0, T_0]
    cycle, T_cur, T_i = 0, t, T_0
    while T_cur >= T_i:
        cycle += 1
        T_cur -= T_i
        T_i = (T_i - T_up) * T_mult + T_up
    return [cycle, T_cur, T_i]


# --------------------------------------------------------- schedules that go up and down


def cyclic_lr(
    t, base_lr, max_lr, step_size_up=2000, step_size_down=None, mode="triangular", gamma=1.0
):
    """Rate of CyclicLR after t calls of scheduler.step().

    The rate climbs from base_lr to max_lr within step_size_up calls and back within
    step_size_down, over and over. Both rates are CyclicLR's own: it ignores the optimizer's.
    From arXiv 1506.01186. Raises ValueError for an unknown mode; torch's triangular2 raises
    OverflowError after 1024 cycles, this one does not.
    """
    height = cyclic_height(t, step_size_up, step_size_down, mode, gamma)
    return base_lr + (max_lr - base_lr) * height


def cyclic_momentum(
    t,
    base_momentum=0.8,
    max_momentum=0.9,
    step_size_up=2000,
    step_size_down=None,
    mode="triangular",
    gamma=1.0,
):
    """Momentum that CyclicLR sets after t calls of scheduler.step().

    It mirrors the rate: max_momentum where the rate is lowest, base_momentum at its top.
    """
    height = cyclic_height(t, step_size_up, step_size_down, mode, gamma)
    return max_momentum - (max_momentum - base_momentum) * height


def cyclic_height(t, step_size_up, step_size_down, mode, gamma):
    """Height of CyclicLR's triangle at step t: 0 at its foot, 1 at the top of the first one.

    mode "triangular" keeps that height, "triangular2" halves it every cycle, "exp_range"
    multiplies it by gamma every step. Raises ValueError for another mode.
    """
    one_of("mode", mode, ["triangular", "triangular2", "exp_range"])
    down = step_size_up if step_size_down is None else step_size_down
    period = step_size_up + down
    position = t % period
    height = position / step_size_up if position <= step_size_up else (period - position) / down
    if mode == "triangular2":
        return height * 0.5 ** (t // period)
    if mode == "exp_range":
        return height * gamma**t
    return height


def one_cycle_lr(
    t,
    max_lr,
    total_steps,
    pct_start=0.3,
    anneal_strategy="cos",
    div_factor=25.0,
    final_div_factor=1e4,
    three_phase=False,
):
    """Rate of OneCycleLR after t calls of scheduler.step(), ignoring the optimizer's own rate.

    Up from max_lr / div_factor to max_lr during the share pct_start of total_steps calls,
    then down to the first rate / final_div_factor (with three_phase, back to the first rate
    on the way). The end is at t = total_steps - 1; as in torch, total_steps itself runs past it
    and more raises ValueError. From arXiv 1708.07120.
    """
    first = max_lr / div_factor
    last = first / final_div_factor
    corners = [first, max_lr, first, last] if three_phase else [first, max_lr, last]
    return one_cycle(t, corners, total_steps, pct_start, anneal_strategy)


def one_cycle_momentum(
    t,
    total_steps,
    pct_start=0.3,
    anneal_strategy="cos",
    base_momentum=0.85,
    max_momentum=0.95,
    three_phase=False,
):
    """Momentum that OneCycleLR sets after t calls of scheduler.step().

    It mirrors the rate: max_momentum at both ends, base_momentum where the rate peaks.
    """
    corners = [max_momentum, base_momentum, max_momentum]
    if three_phase:
        corners = [max_momentum, base_momentum, max_momentum, max_momentum]
    return one_cycle(t, corners, total_steps, pct_start, anneal_strategy)


def one_cycle(t, corners, total_steps, pct_start, anneal_strategy):
    """Value at step t of OneCycleLR's curve, which leads from corner to corner.

    The last corner is reached at step total_steps - 1. Step total_steps runs past it, as in
    torch; a later one raises ValueError, and a phase of no length ZeroDivisionError.
    """
    if t > total_steps:
        raise ValueError(f"t={t}: allowed is at most total_steps={total_steps}")
    peak = pct_start * total_steps - 1
    steps = [0, peak, total_steps - 1]
    if len(corners) == 4:
        steps = [0, peak, 2 * peak, total_steps - 1]
    i = 1
    while t > steps[i] and i < len(steps) - 1:
        i += 1
    if steps[i] == steps[i - 1]:
        raise ZeroDivisionError(
            f"pct_start={pct_start}, total_steps={total_steps}: one phase has no length"
        )
    progress = (t - steps[i - 1]) / (steps[i] - steps[i - 1])
    return anneal(corners[i - 1], corners[i], progress, anneal_strategy)


# ---------------------------------------------------- the rate answers to what it measures


def reduce_lr_on_plateau(
    t,
    base_lr,
    metrics,
    mode="min",
    factor=0.1,
    patience=10,
    threshold=1e-4,
    threshold_mode="rel",
    cooldown=0,
    min_lr=0.0,
    eps=1e-8,
):
    """Rate of ReduceLROnPlateau after t calls of scheduler.step(metric).

    metrics[0] ... metrics[t - 1] are what it was shown. More than patience bad metrics in a
    row multiply the rate by factor. Raises ValueError for too few metrics or an unknown mode.
    """
    one_of("mode", mode, ["min", "max"])
    one_of("threshold_mode", threshold_mode, ["rel", "abs"])
    if len(metrics) < t:
        raise ValueError(f"metrics has {len(metrics)} values: allowed is t={t} or more")
    sign = 1 if mode == "min" else -1  # to look for a maximum is to look for -metric's minimum
    lr, best, bad, resting = base_lr, sign * math.inf, 0, 0
    for k in range(t):
        goal = best * (1 - sign * threshold) if threshold_mode == "rel" else best - sign * threshold
        if sign * metrics[k] < sign * goal:
            best = metrics[k]
            bad = 0
        else:  # an equal metric is a bad one, and so is NaN
            bad += 1
        if resting > 0:
            resting -= 1
            bad = 0
        if bad > patience:
            lower = max(lr * factor, min_lr)
            if lr - lower > eps:
                lr = lower
            resting = cooldown
            bad = 0
    return lr


# ------------------------------------------------------------- schedules made of schedules


def sequential_lr(t, schedules, milestones):
    """Rate of SequentialLR after t calls of scheduler.step().

    schedules are functions of their own step; each runs from its milestone on, and there from
    step 0. So it is in torch where schedulers start from their base rate, the initial_lr of the
    group (OneCycleLR in the list lowers it for all). Exceptions behind a milestone:
    MultiplicativeLR, asked for lr_lambda(0) too, and SWALR start from the rate they find, and
    total_iters=0 drops a constant factor or raises. Not for compositions inside each other.
    """
    passed = len([m for m in milestones if m <= t])
    start = milestones[passed - 1] if passed > 0 else 0
    return schedules[passed](t - start)


def chained_scheduler(t, base_lr, factors):
    """Rate of ChainedScheduler after t calls of scheduler.step().

    factors are functions of t; the rate is base_lr times all of them. So it is in torch where
    schedulers multiply the latest rate: Multiplicative, Step, MultiStep, Exponential, Constant,
    Linear, Polynomial, and CosineAnnealing with eta_min=0 up to T_max. LambdaLR, CyclicLR,
    OneCycleLR and restarts set the rate anew and wipe out what stands before them in the list.
    """
    lr = base_lr
    for factor in factors:
        lr = lr * factor(t)
    return lr


# -------------------------------------------------------------------- averaging of weights


def swa_lr(t, base_lr, swa_lr, anneal_epochs=10, anneal_strategy="cos"):
    """Rate of torch.optim.swa_utils.SWALR after t of its own calls of step().

    Within anneal_epochs calls the rate goes from base_lr, here the one that SWALR finds when
    it first steps, to swa_lr and stays. From arXiv 1803.05407.
    """
    progress = min(t, anneal_epochs) / anneal_epochs if anneal_epochs > 0 else 1
    return anneal(base_lr, swa_lr, progress, anneal_strategy)


# ------------------------------------------------------------------------- shared by some


def anneal(start, end, progress, anneal_strategy):
    """Value on the way from start (progress 0) to end (progress 1).

    anneal_strategy "cos" goes along half a cosine wave, "linear" along a line. Raises
    ValueError for another one.
    """
    if anneal_strategy == "cos":
        return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
    one_of("anneal_strategy", anneal_strategy, ["cos", "linear"])
    return start + (end - start) * progress


def one_of(name, value, allowed):
    """Raise ValueError unless value is one of the allowed strings; name is the argument's."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r}: allowed is {' or '.join(allowed)}")
