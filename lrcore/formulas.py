"""Every learning-rate schedule of torch, and some it lacks, as one plain function of the step.

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

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        lr_lambda: a function of t, the factor on base_lr and not on the latest rate.

    Returns:
        The learning rate.

    Example:
        >>> lambda_lr(2, 0.5, lambda t: 1 / (t + 1)) == 0.5 / 3
        True
    """
    return base_lr * lr_lambda(t)


def multiplicative_lr(t, base_lr, lr_lambda):
    """Rate of MultiplicativeLR after t calls of scheduler.step().

    No closed form is known: it takes t steps.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        lr_lambda: a function of the call k = 1, 2, ..., the factor on the latest rate.
            lr_lambda(0) is never asked.

    Returns:
        The learning rate.

    Example:
        >>> multiplicative_lr(3, 0.8, lambda k: 0.5)
        0.1
    """
    lr = base_lr
    for k in range(1, t + 1):
        lr = lr * lr_lambda(k)
    return lr


# ------------------------------------------------------------------------ steps and ramps


def step_lr(t, base_lr, step_size, gamma=0.1):
    """Rate of StepLR after t calls of scheduler.step().

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        step_size: calls from one drop to the next.
        gamma: factor of each drop.

    Returns:
        The learning rate.

    Example:
        >>> step_lr(60, 0.5, step_size=30, gamma=0.5)
        0.125
    """
    return base_lr * gamma ** (t // step_size)


def multi_step_lr(t, base_lr, milestones, gamma=0.1):
    """Rate of MultiStepLR after t calls of scheduler.step().

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        milestones: the calls at which the rate drops, whole numbers in any order. One that
            is listed twice counts twice.
        gamma: factor of each drop.

    Returns:
        The learning rate.

    Example:
        >>> multi_step_lr(80, 0.5, milestones=[30, 80], gamma=0.5)
        0.125
    """
    passed = len([m for m in milestones if m <= t])
    return base_lr * gamma**passed


def exponential_lr(t, base_lr, gamma):
    """Rate of ExponentialLR after t calls of scheduler.step().

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        gamma: factor of each call.

    Returns:
        The learning rate.

    Example:
        >>> exponential_lr(2, 0.5, gamma=0.5)
        0.125
    """
    return base_lr * gamma**t


def constant_lr(t, base_lr, factor=1 / 3, total_iters=5):
    """Rate of ConstantLR after t calls of scheduler.step().

    As in torch, total_iters=0 never lets go of the factor (pytorch issue 193682). Unlike here,
    torch raises ZeroDivisionError at call total_iters if factor is 0.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        factor: factor on base_lr at first.
        total_iters: the call at which the rate becomes base_lr.

    Returns:
        The learning rate.

    Example:
        >>> [constant_lr(t, 0.5, factor=0.5, total_iters=2) for t in range(4)]
        [0.25, 0.25, 0.5, 0.5]
    """
    if t < total_iters or total_iters == 0:
        return base_lr * factor
    return base_lr


def linear_lr(t, base_lr, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    """Rate of LinearLR after t calls of scheduler.step().

    The factor on base_lr moves along a straight line and then stays. As in torch, total_iters=0
    stays at start_factor.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        start_factor: factor on base_lr at call 0.
        end_factor: factor on base_lr from call total_iters on.
        total_iters: calls from start to end.

    Returns:
        The learning rate.

    Example:
        >>> [linear_lr(t, 0.5, start_factor=0.5, total_iters=2) for t in range(4)]
        [0.25, 0.375, 0.5, 0.5]
    """
    progress = min(t, total_iters) / max(total_iters, 1)
    return base_lr * (start_factor + (end_factor - start_factor) * progress)


def polynomial_lr(t, base_lr, total_iters=5, power=1.0):
    """Rate of PolynomialLR after t calls of scheduler.step().

    The rate falls from base_lr to 0 and then stays. As in torch, total_iters=0 never falls.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        total_iters: calls until the rate is 0.
        power: 1 falls along a straight line, a higher power faster at first.

    Returns:
        The learning rate.

    Example:
        >>> polynomial_lr(5, 0.5, total_iters=10, power=2)
        0.125
    """
    progress = min(t, total_iters) / max(total_iters, 1)
    return base_lr * (1 - progress) ** power


# -------------------------------------------------------------------------------- cosines


def cosine_annealing_lr(t, base_lr, T_max, eta_min=0.0):
    """Rate of CosineAnnealingLR after t calls of scheduler.step().

    The wave has no end: at call 2 * T_max the rate is base_lr again.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        T_max: calls of half a cosine wave, from base_lr down to eta_min.
        eta_min: the lowest rate.

    Returns:
        The learning rate.

    Source:
        SGDR, https://arxiv.org/abs/1608.03983

    Example:
        >>> [cosine_annealing_lr(t, 0.5, T_max=10) for t in (0, 5, 10, 20)]
        [0.5, 0.25, 0.0, 0.5]
    """
    return eta_min + (base_lr - eta_min) * (1 + math.cos(math.pi * t / T_max)) / 2


def cosine_annealing_warm_restarts(t, base_lr, T_0, T_mult=1, eta_min=0.0):
    """Rate of CosineAnnealingWarmRestarts after t calls of scheduler.step().

    Each cycle falls from base_lr to eta_min along half a cosine wave, and jumps back.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        T_0: calls of the first cycle.
        T_mult: how many times as long as the one before each later cycle is.
        eta_min: the lowest rate.

    Returns:
        The learning rate.

    Raises:
        ValueError: T_0 or T_mult give no cycles.

    Source:
        SGDR, https://arxiv.org/abs/1608.03983

    Example:
        >>> [cosine_annealing_warm_restarts(t, 0.5, T_0=10) for t in (0, 5, 10)]
        [0.5, 0.25, 0.5]
    """
    cycle, T_cur, T_i = restart_cycle(t, T_0, T_mult, 0)
    return eta_min + (base_lr - eta_min) * (1 + math.cos(math.pi * T_cur / T_i)) / 2


def warmup_restarts(t, base_lr, T_0, T_mult=1, T_up=0, gamma=1.0, eta_min=0.0):
    """Rate of lrcore.schedulers.WarmupRestarts after t calls of scheduler.step().

    Each cycle climbs from eta_min to its peak along a straight line, and falls back along half a
    cosine wave. The peak of cycle 0 is base_lr.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        T_0: calls of the first cycle, its climb included.
        T_mult: how many times as long as the one before the falling part of each later
            cycle is.
        T_up: calls of the climb, in every cycle.
        gamma: factor from one peak to the next; no peak lies below eta_min.
        eta_min: the lowest rate.

    Returns:
        The learning rate.

    Raises:
        ValueError: T_0, T_mult or T_up give no cycles.

    Source:
        SGDR, https://arxiv.org/abs/1608.03983, with the warm-up and the lower peaks that
        gaussian37's CosineAnnealingWarmUpRestarts added.

    Example:
        >>> [warmup_restarts(t, 0.5, T_0=10, T_up=2, gamma=0.5) for t in (0, 1, 2, 6, 12)]
        [0.0, 0.25, 0.5, 0.25, 0.25]
    """
    cycle, T_cur, T_i = restart_cycle(t, T_0, T_mult, T_up)
    peak = base_lr * gamma**cycle
    if peak < eta_min:
        peak = eta_min
    if T_cur < T_up:
        return eta_min + (peak - eta_min) * T_cur / T_up
    wave = math.cos(math.pi * (T_cur - T_up) / (T_i - T_up))
    return eta_min + (peak - eta_min) * (1 + wave) / 2


def restart_cycle(t, T_0, T_mult, T_up):
    """Where step t lies among cycles: [number of the cycle from 0, steps into it, its length].

    Args:
        t: steps so far, 0 or more.
        T_0: steps of the first cycle.
        T_mult: factor from one cycle to the next on what is longer than T_up.
        T_up: steps of each cycle that stay as they are.

    Returns:
        A list of three numbers.

    Raises:
        ValueError: the cycles would never add up to t.

    Example:
        >>> restart_cycle(35, T_0=10, T_mult=2, T_up=0)
        [2, 5, 40]
    """
    if T_mult < 1 or T_up < 0 or T_0 <= T_up:
        raise ValueError(
            f"T_0={T_0}, T_mult={T_mult}, T_up={T_up}: "
            "allowed is T_mult >= 1 and 0 <= T_up < T_0"
        )
    if T_mult == 1:
        return [t // T_0, t % T_0, T_0]
    cycle, T_cur, T_i = 0, t, T_0
    surplus = T_up * (T_mult - 1)  # of T_mult times the climb, which does not grow
    while T_cur >= T_i:
        cycle += 1
        T_cur = T_cur - T_i
        T_i = T_i * T_mult - surplus
    return [cycle, T_cur, T_i]


# --------------------------------------------------------- schedules that go up and down


def cyclic_lr(
    t,
    base_lr,
    max_lr,
    step_size_up=2000,
    step_size_down=None,
    mode="triangular",
    gamma=1.0,
):
    """Rate of CyclicLR after t calls of scheduler.step().

    The rate goes up and down along straight lines, over and over. torch's triangular2 raises
    OverflowError after 1024 cycles, this one does not.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the lowest rate, CyclicLR's own. It ignores the optimizer's `lr`; but where an
            earlier scheduler left `initial_lr` in the group, call 0 starts from that instead.
        max_lr: the highest rate.
        step_size_up: calls from the foot of a triangle to its top.
        step_size_down: calls from there to the next foot; None: step_size_up.
        mode: "triangular", "triangular2" (half as high in every cycle) or "exp_range".
        gamma: factor of each call on the height, for "exp_range".

    Returns:
        The learning rate.

    Raises:
        ValueError: mode is another one.

    Source:
        Smith 2015, https://arxiv.org/abs/1506.01186

    Example:
        >>> [cyclic_lr(t, 0.25, 0.75, step_size_up=2) for t in range(5)]
        [0.25, 0.5, 0.75, 0.5, 0.25]
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

    It mirrors the rate.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_momentum: the momentum where the rate is highest.
        max_momentum: the momentum where the rate is lowest.
        step_size_up: calls from the foot of a triangle to its top.
        step_size_down: calls from there to the next foot; None: step_size_up.
        mode: "triangular", "triangular2" (half as high in every cycle) or "exp_range".
        gamma: factor of each call on the height, for "exp_range".

    Returns:
        The momentum.

    Raises:
        ValueError: mode is another one.

    Source:
        Smith 2018, https://arxiv.org/abs/1803.09820

    Example:
        >>> [cyclic_momentum(t, 0.5, 1.0, step_size_up=2) for t in range(5)]
        [1.0, 0.75, 0.5, 0.75, 1.0]
    """
    height = cyclic_height(t, step_size_up, step_size_down, mode, gamma)
    return max_momentum - (max_momentum - base_momentum) * height


def cyclic_height(t, step_size_up, step_size_down, mode, gamma):
    """Height of CyclicLR's triangle: 0 at its foot, 1 at the top of the first one.

    Args:
        t: steps so far, 0 or more.
        step_size_up: calls from the foot of a triangle to its top.
        step_size_down: calls from there to the next foot; None: step_size_up.
        mode: "triangular", "triangular2" (half as high in every cycle) or "exp_range".
        gamma: factor of each call on the height, for "exp_range".

    Returns:
        The height, a number from 0 to 1.

    Raises:
        ValueError: mode is another one.

    Example:
        >>> [cyclic_height(t, 2, 4, "triangular", 1.0) for t in range(7)]
        [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    one_of("mode", mode, ["triangular", "triangular2", "exp_range"])
    down = step_size_up if step_size_down is None else step_size_down
    period = step_size_up + down
    position = t % period
    if position <= step_size_up:
        height = position / step_size_up
    else:
        height = (period - position) / down
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
    """Rate of OneCycleLR after t calls of scheduler.step(); not the optimizer's.

    Up to max_lr and down again. With three_phase it comes back to the first rate on the way down,
    after as many calls as it went up.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        max_lr: the highest rate.
        total_steps: calls of the whole cycle: its end is at t = total_steps - 1. As in
            torch, t = total_steps runs past it.
        pct_start: share of total_steps before the highest rate.
        anneal_strategy: "cos" or "linear", the way from corner to corner.
        div_factor: the first rate is max_lr / div_factor.
        final_div_factor: the last rate is the first one / final_div_factor.
        three_phase: whether the rate comes back to the first one before it ends.

    Returns:
        The learning rate.

    Raises:
        ValueError: t is above total_steps, or anneal_strategy is another one.
        ZeroDivisionError: a phase has no length.

    Source:
        Smith and Topin 2017, https://arxiv.org/abs/1708.07120

    Example:
        >>> one_cycle_lr(29, max_lr=0.5, total_steps=100)
        0.5
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

    It mirrors the rate.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        total_steps: calls of the whole cycle.
        pct_start: share of total_steps before the highest rate.
        anneal_strategy: "cos" or "linear", the way from corner to corner.
        base_momentum: the momentum where the rate is highest.
        max_momentum: the momentum at both ends.
        three_phase: whether max_momentum is reached before the end and kept.

    Returns:
        The momentum.

    Raises:
        ValueError: t is above total_steps, or anneal_strategy is another one.
        ZeroDivisionError: a phase has no length.

    Source:
        Smith and Topin 2017, https://arxiv.org/abs/1708.07120

    Example:
        >>> one_cycle_momentum(29, total_steps=100)
        0.85
    """
    corners = [max_momentum, base_momentum, max_momentum]
    if three_phase:
        corners = [max_momentum, base_momentum, max_momentum, max_momentum]
    return one_cycle(t, corners, total_steps, pct_start, anneal_strategy)


def one_cycle(t, corners, total_steps, pct_start, anneal_strategy):
    """Value at step t of OneCycleLR's curve, which leads from corner to corner.

    Args:
        t: steps so far, from 0 to total_steps.
        corners: the values at the ends of the phases: three, or four with three_phase.
        total_steps: the last corner is reached at step total_steps - 1. Step total_steps
            runs past it, as in torch.
        pct_start: share of total_steps before the second corner.
        anneal_strategy: "cos" or "linear", the way from corner to corner.

    Returns:
        The value.

    Raises:
        ValueError: t is above total_steps, or anneal_strategy is another one.
        ZeroDivisionError: a phase has no length.

    Example:
        >>> [one_cycle(t, [0.0, 1.0, 0.0], 7, 4 / 7, "linear") for t in (0, 3, 6)]
        [0.0, 1.0, 0.0]
    """
    if t > total_steps:
        raise ValueError(f"t={t}: allowed is at most total_steps={total_steps}")
    peak = pct_start * total_steps - 1
    if t <= peak:
        i, start, end = 0, 0, peak
    elif len(corners) == 3:
        i, start, end = 1, peak, total_steps - 1
    elif t <= 2 * peak:
        i, start, end = 1, peak, 2 * peak
    else:
        i, start, end = 2, 2 * peak, total_steps - 1
    if start == end:
        raise ZeroDivisionError(
            f"pct_start={pct_start}, total_steps={total_steps}: one phase has no length"
        )
    progress = (t - start) / (end - start)
    return anneal(corners[i], corners[i + 1], progress, anneal_strategy)


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

    No closed form exists: it takes t steps.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        metrics: a list of what it was shown, metrics[0] at the first call, t of them or
            more.
        mode: "min" if a lower metric is better, "max" if a higher one is.
        factor: factor of each drop.
        patience: bad calls in a row that are forgiven; one more and the rate drops. A call
            is bad if its metric is not better than the best so far by the threshold, or is
            NaN.
        threshold: how much better is better: a share of the best, or a difference.
        threshold_mode: "rel" or "abs".
        cooldown: calls after a drop that count as no bad ones.
        min_lr: the lowest rate.
        eps: a drop that is not larger than this is left out.

    Returns:
        The learning rate.

    Raises:
        ValueError: there are too few metrics, or mode or threshold_mode is another one.

    Example:
        >>> reduce_lr_on_plateau(4, 0.5, metrics=[1, 1, 1, 1], patience=2, factor=0.5)
        0.25
    """
    one_of("mode", mode, ["min", "max"])
    one_of("threshold_mode", threshold_mode, ["rel", "abs"])
    if len(metrics) < t:
        raise ValueError(f"metrics has {len(metrics)} values: allowed is t={t} or more")
    sign = 1 if mode == "min" else -1  # a maximum is the minimum of -metric
    lr, best, bad, resting = base_lr, sign * math.inf, 0, 0
    for k in range(t):
        goal = best - sign * threshold
        if threshold_mode == "rel":
            goal = best * (1 - sign * threshold)
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


# ------------------------------------- warm-up, then decay: what large models are trained with
#
# Torch has no class for these. They count optimizer steps. The first ones, warmup_steps of them,
# lie below base_lr, which is the peak. None of them is 0: a step with a rate of 0 trains nothing.


def warmup_share(t, warmup_steps):
    """Share of the peak rate during a warm-up along a straight line, and 1 after it.

    Args:
        t: optimizer steps so far, 0 or more.
        warmup_steps: steps that lie below the peak, 0 or more.

    Returns:
        A number above 0, and at most 1.

    Example:
        >>> [warmup_share(t, 3) for t in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return min(1.0, (t + 1) / (warmup_steps + 1))


def warmup_cosine(t, base_lr, total_steps, warmup_steps=0, eta_min=0.0):
    """Rate of a warm-up along a straight line and half a cosine wave after it.

    Args:
        t: optimizer steps so far, 0 or more.
        base_lr: the peak rate, which step warmup_steps uses.
        total_steps: steps until the rate is eta_min, where it stays; above warmup_steps.
        warmup_steps: steps below the peak at the start.
        eta_min: the last rate.

    Returns:
        The learning rate.

    Source:
        SGDR, https://arxiv.org/abs/1608.03983, for the cosine.

    Example:
        >>> [warmup_cosine(t, 0.5, total_steps=11, warmup_steps=1) for t in (0, 1, 6, 11)]
        [0.25, 0.5, 0.25, 0.0]
    """
    if t < warmup_steps:
        return base_lr * warmup_share(t, warmup_steps)
    progress = min(1.0, (t - warmup_steps) / (total_steps - warmup_steps))
    return anneal(base_lr, eta_min, progress, "cos")


def warmup_linear(t, base_lr, total_steps, warmup_steps=0):
    """Rate of a warm-up along a straight line and a straight line to zero after it.

    Args:
        t: optimizer steps so far, 0 or more.
        base_lr: the peak rate, which step warmup_steps uses.
        total_steps: steps until the rate is 0, where it stays; above warmup_steps.
        warmup_steps: steps below the peak at the start.

    Returns:
        The learning rate.

    Source:
        Bergsma et al. 2025, https://arxiv.org/abs/2502.15938

    Example:
        >>> [warmup_linear(t, 0.5, total_steps=11, warmup_steps=1) for t in (0, 1, 6, 11)]
        [0.25, 0.5, 0.25, 0.0]
    """
    if t < warmup_steps:
        return base_lr * warmup_share(t, warmup_steps)
    progress = min(1.0, (t - warmup_steps) / (total_steps - warmup_steps))
    return base_lr * (1 - progress)


def warmup_stable_decay(
    t, base_lr, total_steps, warmup_steps=0, decay_steps=0, decay="1-sqrt"
):
    """Rate of WSD: a warm-up, a constant rate, a cooldown to zero.

    Args:
        t: optimizer steps so far, 0 or more.
        base_lr: the peak rate, which all steps between warm-up and cooldown use.
        total_steps: steps until the rate is 0, where it stays. The cooldown's first step, number
            total_steps - decay_steps, still uses base_lr.
        warmup_steps: steps below the peak at the start.
        decay_steps: length of the cooldown; 0: the rate falls to 0 at once, when the run is over.
        decay: shape of the cooldown, see `cooldown_share`.

    Returns:
        The learning rate.

    Raises:
        ValueError: decay is another one.

    Source:
        MiniCPM, https://arxiv.org/abs/2404.06395; the cooldowns of
        Haegele et al. 2024, https://arxiv.org/abs/2405.18392

    Example:
        >>> rates = [warmup_stable_decay(t, 0.5, 8, 1, 4) for t in range(9)]
        >>> [round(rate, 3) for rate in rates]
        [0.25, 0.5, 0.5, 0.5, 0.5, 0.25, 0.146, 0.067, 0.0]
    """
    into = t - (total_steps - decay_steps)
    if into <= 0 and t < total_steps:
        return base_lr * warmup_share(t, warmup_steps)
    progress = min(1.0, into / decay_steps) if decay_steps > 0 else 1.0
    return base_lr * warmup_share(t, warmup_steps) * cooldown_share(progress, decay)


def cooldown_share(progress, decay):
    """Share of the rate that is left in a cooldown.

    Args:
        progress: the share of the cooldown that is done, 0 to 1.
        decay: "linear", "cosine" (half a wave) or "1-sqrt" (1 - sqrt(progress), which falls
            fast at first).

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: decay is another one.

    Source:
        Haegele et al. 2024, https://arxiv.org/abs/2405.18392

    Example:
        >>> [cooldown_share(0.25, decay) for decay in ("linear", "1-sqrt")]
        [0.75, 0.5]
    """
    one_of("decay", decay, ["linear", "cosine", "1-sqrt"])
    if decay == "linear":
        return 1 - progress
    if decay == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    return 1 - math.sqrt(progress)


def inverse_sqrt(t, base_lr, warmup_steps=0):
    """Rate of a warm-up, and then a decay as one over the square root of the step.

    It has no end: four times as many steps halve the rate.

    Args:
        t: optimizer steps so far, 0 or more.
        base_lr: the peak rate, which step warmup_steps uses.
        warmup_steps: steps below the peak at the start.

    Returns:
        The learning rate.

    Source:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    Example:
        >>> [inverse_sqrt(t, 0.5, warmup_steps=3) for t in (0, 3, 15, 63)]
        [0.125, 0.5, 0.25, 0.125]
    """
    if t < warmup_steps:
        return base_lr * warmup_share(t, warmup_steps)
    return base_lr * math.sqrt((warmup_steps + 1) / (t + 1))


# ------------------------------------------------------------------ a climb to find the rate


def range_test(t, base_lr, end_lr, total_iters):
    """Rate of a learning-rate range test: a climb by the same factor at each step.

    Torch's recipe is ExponentialLR with gamma = (end_lr / base_lr) ** (1 / total_iters). Past
    total_iters the climb goes on.

    Args:
        t: optimizer steps so far, 0 or more.
        base_lr: the rate of step 0, above 0.
        end_lr: the rate of step total_iters, above 0.
        total_iters: steps from base_lr to end_lr, 1 or more.

    Returns:
        The learning rate.

    Source:
        Smith 2015, https://arxiv.org/abs/1506.01186, which climbs along a straight line; by a
        factor in the learning-rate finders of fast.ai and PyTorch Lightning.

    Example:
        >>> [range_test(t, 0.25, 4.0, total_iters=2) for t in range(4)]
        [0.25, 1.0, 4.0, 16.0]
    """
    return base_lr * (end_lr / base_lr) ** (t / total_iters)


# ------------------------------------------------------------- schedules made of schedules


def sequential_lr(t, schedules, milestones):
    """Rate of SequentialLR after t calls of scheduler.step().

    It is so in torch where schedulers start from their base rate, the initial_lr of the group
    (OneCycleLR in the list lowers it for all). Exceptions behind a milestone: MultiplicativeLR,
    asked for lr_lambda(0) too, and SWALR start from the rate they find, and total_iters=0 drops a
    constant factor or raises. Not for compositions inside each other.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        schedules: functions of their own step. Each runs from its milestone on, and there
            from step 0.
        milestones: the calls at which the next one takes over, rising; one fewer than
            schedules.

    Returns:
        The learning rate.

    Example:
        >>> sequential_lr(5, [lambda t: t / 4, lambda t: 1.0 - t / 8], milestones=[4])
        0.875
    """
    passed = len([m for m in milestones if m <= t])
    start = milestones[passed - 1] if passed > 0 else 0
    return schedules[passed](t - start)


def chained_scheduler(t, base_lr, factors):
    """Rate of ChainedScheduler after t calls of scheduler.step().

    It is so in torch where schedulers multiply the latest rate: Multiplicative, Step, MultiStep,
    Exponential, Constant, Linear, Polynomial, and CosineAnnealing with eta_min=0 up to T_max.
    LambdaLR, CyclicLR, OneCycleLR and restarts set the rate anew and wipe out what stands before
    them in the list.

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the optimizer's rate before the scheduler is built.
        factors: functions of t; the rate is base_lr times all of them.

    Returns:
        The learning rate.

    Example:
        >>> chained_scheduler(2, 0.5, [lambda t: 0.5**t, lambda t: 0.5])
        0.0625
    """
    lr = base_lr
    for factor in factors:
        lr = lr * factor(t)
    return lr


# -------------------------------------------------------------------- averaging of weights


def swa_lr(t, base_lr, swa_lr, anneal_epochs=10, anneal_strategy="cos"):
    """Rate of torch.optim.swa_utils.SWALR after t of its own calls of step().

    Args:
        t: calls of scheduler.step() so far, 0 or more.
        base_lr: the rate that SWALR finds when it first steps.
        swa_lr: the rate that it goes to, and keeps.
        anneal_epochs: calls on the way.
        anneal_strategy: "cos" or "linear", the way.

    Returns:
        The learning rate.

    Raises:
        ValueError: anneal_strategy is another one.

    Source:
        Izmailov et al. 2018, https://arxiv.org/abs/1803.05407

    Example:
        >>> [swa_lr(t, 0.5, swa_lr=0.25, anneal_epochs=2) for t in range(4)]
        [0.5, 0.375, 0.25, 0.25]
    """
    progress = min(t, anneal_epochs) / anneal_epochs if anneal_epochs > 0 else 1
    return anneal(base_lr, swa_lr, progress, anneal_strategy)


# ------------------------------------------------------------------------- shared by some


def anneal(start, end, progress, anneal_strategy):
    """Value on the way from start to end.

    Args:
        start: the value at progress 0.
        end: the value at progress 1.
        progress: the share of the way that is done.
        anneal_strategy: "cos" along half a cosine wave, "linear" along a line.

    Returns:
        The value.

    Raises:
        ValueError: anneal_strategy is another one.

    Example:
        >>> anneal(1.0, 0.0, 0.25, "linear")
        0.75
    """
    if anneal_strategy == "cos":
        return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
    one_of("anneal_strategy", anneal_strategy, ["cos", "linear"])
    return start + (end - start) * progress


def one_of(name, value, allowed):
    """Raise ValueError unless value is one of the allowed strings; name is the argument's."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r}: allowed is {' or '.join(allowed)}")
