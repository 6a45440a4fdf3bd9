"""The noisy quadratic model: an optimization problem small enough to be solved exactly.

The loss is L(w) = 1/2 sum_i h_i w_i^2. A mini-batch shows SGD not the gradient h_i w_i but that
plus noise of variance s^2 h_i: steep directions are noisy directions, as in a neural network.
Sources: Zhang et al. 2019, https://arxiv.org/abs/1907.04164; Wu et al. 2018,
https://arxiv.org/abs/1803.02021.
"""

import math

CURVATURES = (1.0, 0.3, 0.1, 0.03, 0.01)  # h_i: one steep direction, one nearly flat
NOISE_VARIANCE = 0.1  # s^2
START = 1.0  # every w_i before the first step
PATH_CURVATURES = (1.0, 0.1)  # of the two directions in which one run is watched


def expected_losses(
    rates, curvatures=CURVATURES, noise_variance=NOISE_VARIANCE, start=START
):
    """Expected loss of plain SGD (no momentum), before each step and after the last.

    It is exact: no random number is drawn.

    Args:
        rates: one learning rate per optimizer step.
        curvatures: h_i, one for each direction.
        noise_variance: s^2, of the noise that a mini-batch adds to the gradient.
        start: every w_i before the first step.

    Returns:
        A list of len(rates) + 1 losses.

    Source:
        Zhang et al. 2019, https://arxiv.org/abs/1907.04164

    Example:
        >>> [round(loss, 4) for loss in expected_losses([0.5, 0.5])]
        [0.72, 0.3118, 0.1871]
    """
    # mean and variance of each w_i, over all the noise that there could be
    means = [start for h in curvatures]
    variances = [0.0 for h in curvatures]
    losses = [expected_loss(curvatures, means, variances)]
    for rate in rates:
        for i, h in enumerate(curvatures):
            keep = 1 - rate * h
            means[i] = keep * means[i]
            variances[i] = keep * keep * variances[i] + rate * rate * noise_variance * h
        losses.append(expected_loss(curvatures, means, variances))
    return losses


def expected_loss(curvatures, means, variances):
    """Expected loss 1/2 sum_i h_i E[w_i^2], where E[w_i^2] is squared mean plus variance."""
    loss = 0.0
    for i, h in enumerate(curvatures):
        loss += 0.5 * h * (means[i] * means[i] + variances[i])
    return loss


def simulate(rates, runs=2000, seed=0):
    """Losses of independent runs of a real `torch.optim.SGD` on the same model.

    Their mean approaches `expected_losses(rates)`.

    Args:
        rates: one learning rate per optimizer step.
        runs: how many runs.
        seed: of the noise.

    Returns:
        A float64 tensor of shape (len(rates) + 1, runs): the loss of every run before the first
        step and after each.

    Source:
        Zhang et al. 2019, https://arxiv.org/abs/1907.04164

    Example:
        >>> simulate([0.5, 0.5], runs=10).shape
        torch.Size([3, 10])
    """
    import torch  # here, so that the rest of this module needs nothing

    generator = torch.Generator().manual_seed(seed)
    curvatures = torch.tensor(CURVATURES, dtype=torch.float64)
    weights = torch.full((runs, len(CURVATURES)), START, dtype=torch.float64)
    optimizer = torch.optim.SGD([weights], lr=0.0)
    losses = [(0.5 * curvatures * weights**2).sum(dim=1)]
    for rate in rates:
        noise = torch.randn(weights.shape, dtype=torch.float64, generator=generator)
        weights.grad = curvatures * weights + noise * (NOISE_VARIANCE * curvatures).sqrt()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        losses.append((0.5 * curvatures * weights**2).sum(dim=1))
    return torch.stack(losses)


def noisy_path(
    rates,
    curvatures=PATH_CURVATURES,
    noise_variance=NOISE_VARIANCE,
    start=START,
    seed=1,
):
    """One run of plain SGD (no momentum): where it stands before each step and after the last.

    The same seed draws the same noise for all rates, on every machine and in every browser.

    Args:
        rates: one learning rate per optimizer step.
        curvatures: h_i, one for each direction.
        noise_variance: s^2, of the noise that a mini-batch adds to the gradient.
        start: every w_i before the first step.
        seed: of the noise, see `normals`.

    Returns:
        A list of len(rates) + 1 places, each the list of all w_i: for the default curvatures
        [w in the steep direction, w in the flat direction].

    Raises:
        ValueError: the seed is not what is allowed.

    Source:
        Zhang et al. 2019, https://arxiv.org/abs/1907.04164

    Example:
        >>> noisy_path([0.5, 0.5], noise_variance=0)
        [[1.0, 1.0], [0.5, 0.95], [0.25, 0.9025]]
    """
    noise = normals(len(rates) * len(curvatures), seed)
    place = [start for h in curvatures]
    path = [place]
    for t, rate in enumerate(rates):
        moved = []
        for i, h in enumerate(curvatures):
            drawn = noise[t * len(curvatures) + i]
            gradient = h * place[i] + math.sqrt(noise_variance * h) * drawn
            moved.append(place[i] - rate * gradient)
        place = moved
        path.append(place)
    return path


def normals(count, seed):
    """Pseudo-random numbers that are nearly normal, with mean 0 and variance 1.

    Each is the sum of 12 numbers between 0 and 1, less 6. Those come from a generator whose
    products stay below 2**53: JavaScript, which has no large integers, computes the same digits.

    Args:
        count: how many.
        seed: a whole number from 1 to 2147483646. The first numbers of seeds near each other are
            near each other too.

    Returns:
        A list of count numbers between -6 and 6.

    Raises:
        ValueError: the seed is not what is allowed.

    Source:
        Park and Miller 1988, https://doi.org/10.1145/63039.63042, with the factor 48271 that they
        preferred later. C++ calls it minstd_rand.

    Example:
        >>> [round(number, 3) for number in normals(3, seed=1)]
        [-0.695, 2.336, 1.446]
    """
    if seed < 1 or seed > 2147483646:
        raise ValueError(f"seed={seed}: allowed is a whole number from 1 to 2147483646")
    numbers = []
    for _ in range(count):
        total = -6.0
        for _part in range(12):  # JavaScript would take a second _ for the first
            seed = seed * 48271 % 2147483647
            total += seed / 2147483647
        numbers.append(total)
    return numbers


def validation_loss(t, flattens_at=40, noise=0.02, jump_at=80, jump=0.0):
    """A made-up validation loss for epoch t, to feed a scheduler that watches a metric.

    It falls from 1 to 0.2 and stays there. Only + - * / are used, so that every machine and every
    browser computes the same digits.

    Args:
        t: epochs so far, 0 or more.
        flattens_at: the epoch from which on it stays.
        noise: the largest random deviation up or down.
        jump_at: the epoch from which on `jump` is added.
        jump: what is added.

    Returns:
        The loss.

    Example:
        >>> [validation_loss(t, noise=0) for t in (0, 20, 40)]
        [1.0, 0.4, 0.2]
    """
    left = max(0.0, 1 - t / flattens_at)
    loss = 0.2 + 0.8 * left * left + noise * scatter(t)
    if t >= jump_at:
        loss += jump
    return loss


def scatter(t):
    """A number between -1 and 1 that looks random but is always the same for the same t."""
    x = t + 1
    for _ in range(4):
        x = (x * x * 7 + x * 11 + 5) % 32749  # products stay exact: far below 2**53
    return 2 * x / 32748 - 1
