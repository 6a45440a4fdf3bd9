"""The training loop: one loop for all schedulers.

Everything that hides or imitates a schedule is left out: no weight averaging, no label smoothing,
no test-time augmentation. What remains is what a first course teaches: a plain network, a common
optimizer, random flips and shifts.
"""

import math
from typing import NamedTuple

import torch
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrcore.cifar.networks import Task

# what each optimizer gets besides its rate; AdamW's are torch's defaults
OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4},
    "AdamW": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
}
PIECES = 20  # a run keeps its mean loss in this many equal parts


class Setup(NamedTuple):
    """What all runs of a comparison share.

    `optimizer` is a key of `OPTIMIZERS`. `precision` is that of the costly layers, a torch dtype;
    the weights stay in torch's default dtype. An epoch is as many whole batches of `batch_size`
    as the training images fill; the rest of them, other ones in each epoch, are left out.
    """

    task: Task
    optimizer: str
    batch_size: int
    precision: torch.dtype


class Outcome(NamedTuple):
    """What one training run gave.

    `lr` and `momentum`: what each optimizer step used, lists with one entry per step. `losses`:
    the mean training loss of each twentieth of the run. `accuracy` (percent) and `cross_entropy`
    are those of the images it was judged on; both are None if the run diverged: then `diverged_at`
    is the step at which this was noticed, else None. `evaluations`: (epoch, accuracy,
    cross-entropy) along the run, where that was asked for.
    """

    lr: list[float]
    momentum: list[float]
    losses: list[float]
    accuracy: float | None
    cross_entropy: float | None
    diverged_at: int | None
    evaluations: list[tuple[int, float, float]]


class Draws(NamedTuple):
    """The random numbers of one epoch of `steps` batches of n.

    `order`: which images, shape (steps, n). `shifts` (steps, 2, n) and `mirrors` (steps, n): what
    becomes of them, as in `networks.augment`.
    """

    order: torch.Tensor
    shifts: torch.Tensor
    mirrors: torch.Tensor


def draw_epoch(images, batch_size, generator):
    """Draw an epoch's batches from that many `images`, on the generator's device."""
    steps, device = images // batch_size, generator.device
    order = torch.randperm(images, generator=generator, device=device)[: steps * batch_size]
    shifts = torch.randint(5, (steps, 2, batch_size), generator=generator, device=device)
    mirrors = torch.rand(steps, batch_size, generator=generator, device=device) < 0.5
    return Draws(order.view(steps, batch_size), shifts, mirrors)


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


def autocast(device, precision, cache_enabled=True):
    """Half precision for the costly layers; the weights themselves stay float32."""
    half = precision in (torch.float16, torch.bfloat16)
    dtype = precision if half else None
    return torch.autocast(device.type, dtype, enabled=half, cache_enabled=cache_enabled)


@torch.inference_mode()
def evaluate(model, images, setup):
    """Return accuracy in percent and mean cross-entropy of `model` on `images`, an `Images`."""
    model.eval()
    right = loss = 0.0
    for inputs, labels in zip(images.images.split(1000), images.labels.split(1000), strict=True):
        with autocast(inputs.device, setup.precision):
            outputs = model(setup.task.normalise(inputs)).to(torch.get_default_dtype())
        right += (outputs.argmax(1) == labels).sum()
        loss += F.cross_entropy(outputs, labels, reduction="sum")
    model.train()
    return 100 * right.item() / len(images.labels), loss.item() / len(images.labels)


def make_optimizer(name, parameters, lr):
    """The torch optimizer of that name, with the arguments in `OPTIMIZERS`."""
    return getattr(torch.optim, name)(parameters, lr=lr, **OPTIMIZERS[name])


def momentum_of(group):
    """The momentum of a parameter group; that of AdamW is its first beta."""
    return float(group["momentum"] if "momentum" in group else group["betas"][0])


def train(
    data, setup, make_scheduler, *, epochs, lr, seed, every=1, judge_on="test",
    along=False
):
    """Train a fresh network on the training images with one scheduler, and judge it.

    Args:
        data: a `cifar.data.Data`. Training happens on its device.
        setup: a `Setup`: the task with its network, the optimizer, the batch size, the precision.
        make_scheduler: a function that is called as `make_scheduler(optimizer)` and returns a torch
            scheduler. `ReduceLROnPlateau` gets the loss on `data.validation`, no other gets any.
        epochs: the length of the run, in epochs of `len(data.train.labels) // setup.batch_size`
            optimizer steps.
        lr: the rate that the optimizer is made with.
        seed: the same seed gives the same first weights and the same batches.
        every: optimizer steps from one step() of the scheduler to the next.
        judge_on: which images judge the network at the end: "test" or "validation".
        along: whether they judge it after each epoch too.

    Returns:
        The `Outcome`: what each optimizer step used, the losses, the accuracy in percent. That a
        run diverges is an outcome, and no error.

    Example:
        >>> from functools import partial
        >>> from torch.optim.lr_scheduler import StepLR
        >>> from lrcore.cifar.data import Data, Images
        >>> from lrcore.cifar.networks import pictures
        >>> pixels = torch.randint(256, (40, 3, 32, 32), dtype=torch.uint8)
        >>> images = Images(pixels, torch.arange(40) % 10)
        >>> data = Data("noise", "", train=images, validation=images, test=images)
        >>> setup = Setup(pictures((2, 2, 2, 4), stride=2), "SGD", 20, torch.float32)
        >>> outcome = train(data, setup, partial(StepLR, step_size=2), epochs=2, lr=0.1, seed=0)
        >>> [round(rate, 2) for rate in outcome.lr]
        [0.1, 0.1, 0.01, 0.01]
    """
    inputs, labels = data.train
    device = labels.device
    steps_an_epoch = len(labels) // setup.batch_size
    steps = epochs * steps_an_epoch

    torch.manual_seed(seed)
    model = setup.task.network().to(device, memory_format=torch.channels_last)
    optimizer = make_optimizer(setup.optimizer, model.parameters(), lr)
    scheduler = make_scheduler(optimizer)
    # float16 has no small numbers: the scaler enlarges the loss, and so the gradients
    scaled = setup.precision == torch.float16
    scaler = torch.amp.GradScaler(device.type, 1024.0, enabled=scaled)
    generator = torch.Generator(device).manual_seed(seed)

    rates, momenta, evaluations = [], [], []
    losses = torch.zeros(steps, device=device)
    for t in range(steps):
        epoch, place = divmod(t, steps_an_epoch)
        if place == 0:
            draws = draw_epoch(len(labels), setup.batch_size, generator)
        batch = draws.order[place]
        rates.append(float(optimizer.param_groups[0]["lr"]))
        momenta.append(momentum_of(optimizer.param_groups[0]))

        shifts, mirrors = draws.shifts[place], draws.mirrors[place]
        images = setup.task.augment(inputs[batch], shifts, mirrors)
        with autocast(device, setup.precision):
            loss = F.cross_entropy(model(setup.task.normalise(images)), labels[batch])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses[t] = loss.detach()

        if (t + 1) % every == 0:
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(evaluate(model, data.validation, setup)[1])
            else:
                scheduler.step()
        if along and place == steps_an_epoch - 1:
            found = evaluate(model, getattr(data, judge_on), setup)
            evaluations.append((epoch + 1, *found))
        # looked at only here: to read a number from a GPU waits for all of its work
        if t + 1 in ends_of_pieces(steps) and not losses[: t + 1].isfinite().all():
            break

    judged = evaluate(model, getattr(data, judge_on), setup)
    losses = losses[: len(rates)].tolist()
    return outcome(rates, momenta, losses, judged, evaluations, steps)


def ends_of_pieces(steps):
    """The optimizer steps after which the pieces of a run end, in order."""
    return sorted({math.ceil(steps * (i + 1) / PIECES) for i in range(PIECES)})


def outcome(rates, momenta, losses, judged, evaluations, steps):
    """The `Outcome` of a run: its losses piece by piece, up to the first that is not finite.

    `losses` has one entry per step that was made of `steps`, `judged` is (accuracy, cross-entropy).
    """
    means, start = [], 0
    for end in ends_of_pieces(steps):
        mean = sum(losses[start:end]) / (end - start)
        if math.isfinite(mean):
            means.append(mean)
        if not math.isfinite(mean) or (end == steps and not math.isfinite(judged[1])):
            # what was seen along a run that failed is left out: not all of it is a number
            return Outcome(rates[:end], momenta[:end], means, None, None, end, [])
        start = end
    return Outcome(rates, momenta, means, *judged, None, evaluations)
