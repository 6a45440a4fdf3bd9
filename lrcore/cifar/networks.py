"""The convolutional network, and what becomes of a picture before the network sees it."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F


class Task(NamedTuple):
    """What is trained: a network, and the way of a batch to it.

    `network()` returns a fresh model. `augment(inputs, shifts, mirrors)` and then
    `normalise(inputs)` turn the inputs of a training batch into what the model takes; in an
    evaluation there is only `normalise`.
    """

    network: Callable[[], nn.Module]
    augment: Callable
    normalise: Callable


def pictures(widths, stride):
    """The task of the comparison: pictures, and the plain convolutional `network`."""
    return Task(lambda: network(widths, stride), augment, normalise)


def sequences(network):
    """A task on sequences of tokens: the network takes them as they are."""
    return Task(network, lambda tokens, shifts, mirrors: tokens, lambda tokens: tokens)


def network(widths, stride=1):
    """A plain convolutional network: a convolution, three blocks, a linear layer.

    Args:
        widths: the channels of the first convolution and of the three blocks, four numbers.
            (24, 64, 256, 256) has 2 million parameters.
        stride: that of the first convolution, 1 or 2. 2 halves the image at once, for slow
            machines.

    Returns:
        A `torch.nn.Sequential` with random weights. It takes images of shape (N, 3, 32, 32), as
        `normalise` gives them, and gives one number a class: (N, 10).

    Example:
        >>> model = network((24, 64, 256, 256))
        >>> sum(weights.numel() for weights in model.parameters())
        1973162
        >>> network((8, 8, 16, 32), stride=2)(torch.zeros(5, 3, 32, 32)).shape
        torch.Size([5, 10])
    """
    first, *blocks = widths
    layers = [nn.Conv2d(3, first, 3, stride, padding=1), nn.GELU()]
    for before, after in zip(widths, blocks, strict=False):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(after),
            nn.GELU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.GELU(),
        ]
    last = nn.Linear(widths[-1], 10)
    return nn.Sequential(*layers, nn.MaxPool2d(4 // stride), nn.Flatten(), last)


def normalise(images):
    """uint8 pixels to floats of about mean 0 and spread 1, channels last in memory."""
    pixels = images.to(torch.get_default_dtype())
    return ((pixels - 120.7) / 63.9).contiguous(memory_format=torch.channels_last)


def augment(images, shifts, mirrors):
    """Shift each image by up to 2 pixels, and mirror some.

    `images` has shape (N, 3, 32, 32), `shifts` (2, N) with whole numbers 0 to 4, where 2 leaves
    an image where it is, and `mirrors` (N,) is true where an image is mirrored.
    """
    n = len(images)
    padded = F.pad(images, (2, 2, 2, 2))
    windows = padded.unfold(2, 32, 1).unfold(3, 32, 1)  # a view: all 5 x 5 shifts of each image
    down, right = shifts
    shifted = windows[torch.arange(n, device=images.device), :, down, right]
    return torch.where(mirrors[:, None, None, None], shifted.flip(3), shifted)
