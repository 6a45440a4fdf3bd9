"""The noisy quadratic model: an optimization problem small enough to be solved exactly.

The loss is L(w) = 1/2 sum_i h_i w_i^2. A mini-batch shows SGD not the gradient h_i w_i but that
plus noise of variance s^2 h_i: steep directions are noisy directions, as in a neural network.
Sources: Zhang et al. 2019, https://arxiv.org/abs/1907.04164; Wu et al. 2018,
https://arxiv.org/abs/1803.02021.
"""

CURVATURES = (1.0, 0.3, 0.1, 0.03, 0.01)  # h_i: one steep direction, one nearly flat
NOISE_VARIANCE = 0.1  # s^2
START = 1.0  # every w_i before the first step


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
