"""The training loop of lrcore.cifar against a bare loop, against the loop most people copy, and
against the arithmetic alone. Uses the sample: what it measures does not depend on the pictures.
"""

import random
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from lrcore.cifar import PLANS, load
from lrcore.cifar.data import Data, Images
from lrcore.cifar.training import (
    augment,
    autocast,
    best_device,
    best_precision,
    network,
    normalise,
    train,
)

STEPS = {"cpu": 36, "mps": 100, "cuda": 400}


def settings():
    """The plan whose network suits the device, and as many images as STEPS batches need."""
    device = best_device()
    plan = PLANS["small" if device.type == "cpu" else "fair"]
    sample = load("sample")
    wanted = torch.arange(STEPS[device.type] * plan.batch_size) % len(sample.train.labels)
    images = Images(sample.train.images[wanted], sample.train.labels[wanted])
    few = Images(sample.test.images[:100], sample.test.labels[:100])
    return plan, Data("sample", sample.fingerprint, images, few, few).to(device)


def make_optimizer(plan, device):
    model = network(plan.widths, plan.stride).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    return model, optimizer


def ours(plan, data, steps):
    train(
        data,
        partial(CosineAnnealingLR, T_max=steps),
        widths=plan.widths,
        stride=plan.stride,
        epochs=1,
        batch_size=plan.batch_size,
        lr=0.05,
        seed=0,
    )


def bare(plan, data, steps):
    """The same steps and nothing else: no scheduler, no record, nothing looked at."""
    device = data.train.labels.device
    precision = best_precision(device)
    generator = torch.Generator(device).manual_seed(0)
    model, optimizer = make_optimizer(plan, device)
    order = torch.randperm(len(data.train.labels), generator=generator, device=device)
    for batch in order.split(plan.batch_size):
        with autocast(device, precision):
            outputs = model(normalise(augment(data.train.images[batch], generator)))
            loss = F.cross_entropy(outputs, data.train.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    loss.item()  # waits for the device


class Pictures(Dataset):
    """What torchvision's CIFAR10 does: a PIL picture and its transforms, one at a time."""

    def __init__(self, images):
        self.pictures = images.images.permute(0, 2, 3, 1).cpu().numpy()
        self.labels = images.labels.tolist()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        picture = ImageOps.expand(Image.fromarray(self.pictures[index]), 4)
        left, top = random.randrange(9), random.randrange(9)
        picture = picture.crop((left, top, left + 32, top + 32))
        if random.random() < 0.5:
            picture = ImageOps.mirror(picture)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().div(255)
        return (pixels - 0.47) / 0.25, self.labels[index]


def copied(plan, data, steps):
    """The loop most people copy: a DataLoader with two workers, in float32."""
    device = data.train.labels.device
    model, optimizer = make_optimizer(plan, device)
    loader = DataLoader(Pictures(data.train), plan.batch_size, shuffle=True, num_workers=2)
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()  # it adds up the loss at each step


def arithmetic(plan, data, steps):
    """The multiplications and additions of the same steps, as one large matrix product each."""
    device = data.train.labels.device
    model, _ = make_optimizer(plan, device)
    with FlopCounterMode(display=False) as counter:
        model(normalise(data.train.images[: plan.batch_size])).sum().backward()
    size = {"cpu": 1024, "mps": 2048, "cuda": 8192}[device.type]
    matrix = torch.randn(size, size, device=device, dtype=best_precision(device))
    for _ in range(max(1, round(counter.get_total_flops() * steps / (2 * size**3)))):
        product = matrix @ matrix
    product.sum().item()
