"""The network and the training loop: one loop for all schedulers.

Everything that hides or imitates a schedule is left out: no weight averaging, no label smoothing,
no test-time augmentation. What remains is what a first course teaches: a plain network, SGD with
momentum, random flips and shifts.
"""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau

MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
PIECES = 20  # a run keeps its mean loss in this many equal parts


class Outcome(NamedTuple):
    """What one training run gave.

    `lr` and `momentum`: what each optimizer step used, lists with one entry per step. `losses`:
    the mean training loss of each twentieth of the run. `accuracy` (percent) and `cross_entropy`
    are those of the images it was judged on; both are None if the run diverged: then `diverged_at`
    is the step at which this was noticed, else None.
    """

    lr: list[float]
    momentum: list[float]
    losses: list[float]
    accuracy: float | None
    cross_entropy: float | None
    diverged_at: int | None


def best_device():
    """CUDA if there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def best_precision(device):
    """bfloat16 on a GPU that has it, float16 on one that has not (Colab's T4), else float32."""
    if torch.device(device).type != "cuda":
        return torch.float32
    has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bfloat16 else torch.float16


def network(widths, stride=1):
    """A plain convolutional network: a first convolution, three blocks, a linear layer.

    `widths` are the channels of the first convolution and of the three blocks.
    (24, 64, 256, 256) has 2 million parameters. `stride` is that of the first convolution: 2
    halves the image at once, for slow machines. Takes images (N, 3, 32, 32), gives (N, 10).
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
    return ((images.float() - 120.7) / 63.9).contiguous(memory_format=torch.channels_last)


def augment(images, generator):
    """Shift each image by up to 2 pixels, and mirror every second one, at random."""
    n, device = len(images), images.device
    padded = F.pad(images, (2, 2, 2, 2))
    windows = padded.unfold(2, 32, 1).unfold(3, 32, 1)  # a view: all 5 x 5 shifts of each image
    down, right = torch.randint(5, (2, n), generator=generator, device=device)
    shifted = windows[torch.arange(n, device=device), :, down, right]
    mirrored = torch.rand(n, 1, 1, 1, generator=generator, device=device) < 0.5
    return torch.where(mirrored, shifted.flip(3), shifted)


@torch.inference_mode()
def evaluate(model, data, precision=torch.float32):
    """Return accuracy in percent and mean cross-entropy of `model` on `data`, an `Images`."""
    model.eval()
    right = loss = 0.0
    for images, labels in zip(data.images.split(1000), data.labels.split(1000), strict=True):
        with autocast(images.device, precision):
            outputs = model(normalise(images)).float()
        right += (outputs.argmax(1) == labels).sum().item()
        loss += F.cross_entropy(outputs, labels, reduction="sum").item()
    model.train()
    return 100 * right / len(data.labels), loss / len(data.labels)


def autocast(device, precision):
    """Half precision for the costly layers; the weights themselves stay float32."""
    return torch.autocast(device.type, precision, enabled=precision != torch.float32)


def train(
    data,
    make_scheduler,
    *,
    widths,
    epochs,
    batch_size,
    lr,
    seed,
    stride=1,
    every=1,
    judge_on="test",
    precision=None,
):
    """Train a fresh network on `data.train` and return the `Outcome`.

    `data` is a `cifar.data.Data`; training happens on its device. `make_scheduler(optimizer)`
    returns a torch scheduler; its step() is called after every `every` optimizer steps, and
    ReduceLROnPlateau gets the loss on `data.validation`. `lr` is the rate that the optimizer is
    made with. `judge_on` is "test" or "validation". The same `seed` gives the
    same first weights and the same batches. `precision` is that of the convolutions: a torch
    dtype, by default `best_precision` of the device.

    An epoch is as many whole batches as the training images fill; the rest of them, other ones in
    each epoch, are left out.
    """
    images, labels = data.train
    device = images.device
    precision = precision or best_precision(device)
    steps_an_epoch = len(labels) // batch_size
    steps = epochs * steps_an_epoch

    torch.manual_seed(seed)
    model = network(widths, stride).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True
    )
    scheduler = make_scheduler(optimizer)
    # float16 has no small numbers: the scaler enlarges the loss, and the gradients with it
    scaler = torch.amp.GradScaler(device.type, 1024.0, enabled=precision == torch.float16)
    generator = torch.Generator(device).manual_seed(seed)

    rates, momenta, losses, total = [], [], [], torch.zeros((), device=device)
    ends = [math.ceil(steps * (i + 1) / PIECES) for i in range(PIECES)]
    last_end = 0
    for t in range(steps):
        place = t % steps_an_epoch
        if place == 0:
            order = torch.randperm(len(labels), generator=generator, device=device)
        batch = order[place * batch_size : (place + 1) * batch_size]
        group = optimizer.param_groups[0]
        rates.append(float(group["lr"]))
        momenta.append(float(group["momentum"]))

        with autocast(device, precision):
            outputs = model(normalise(augment(images[batch], generator)))
            loss = F.cross_entropy(outputs, labels[batch])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        total += loss.detach()

        if (t + 1) % every == 0:
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(evaluate(model, data.validation, precision)[1])
            else:
                scheduler.step()
        # looked at only here: to read a number from a GPU waits for all of its work
        if t + 1 in ends:
            mean = total.item() / (t + 1 - last_end)
            if not math.isfinite(mean):
                return Outcome(rates, momenta, losses, None, None, t + 1)
            losses.append(mean)
            last_end, total = t + 1, torch.zeros_like(total)

    accuracy, cross_entropy = evaluate(model, getattr(data, judge_on), precision)
    if not math.isfinite(cross_entropy):
        return Outcome(rates, momenta, losses, None, None, steps)
    return Outcome(rates, momenta, losses, accuracy, cross_entropy, None)
