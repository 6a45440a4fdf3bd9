"""The training loop of lrcore.cifar against a bare loop, against the loop most people copy, and
against the arithmetic alone. Uses the sample: what it measures does not depend on the pictures.
"""

import random
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from lrcore.cifar import PLANS, load
from lrcore.cifar.data import Data, Images
from lrcore.cifar.trainer import setup_of
from lrcore.cifar.training import (
    autocast,
    best_device,
    best_precision,
    draw_epoch,
    make_optimizer,
    train,
)

STEPS = {"cpu": 36, "mps": 100, "cuda": 400}
# size of a matrix and number of products: as fast as it gets, and long enough to be timed
PRODUCTS = {"cpu": (1024, 20), "mps": (2048, 100), "cuda": (4096, 1000)}


def settings():
    """The setup that suits the device, and as many images as STEPS batches need."""
    device = best_device()
    plan = PLANS["small" if device.type == "cpu" else "fair"]
    setup = setup_of(plan, best_precision(device))
    return setup, repeated(load("sample"), STEPS[device.type] * setup.batch_size).to(device)


def repeated(data, wanted):
    """Data with that many training images, the given ones again and again, and few others."""
    rows = torch.arange(wanted) % len(data.train.labels)
    images = Images(data.train.images[rows], data.train.labels[rows])
    few = Images(data.test.images[:100], data.test.labels[:100])
    return Data(data.name, data.fingerprint, images, few, few)


def ours(setup, data, steps):
    make_scheduler = partial(CosineAnnealingLR, T_max=steps)
    train(data, setup, make_scheduler, epochs=1, lr=0.05, seed=0)


def bare(setup, data, steps):
    """The same steps and nothing else: no scheduler, no record, nothing looked at."""
    inputs, labels = data.train
    device = labels.device
    model = setup.task.network().to(device, memory_format=torch.channels_last)
    optimizer = make_optimizer(setup.optimizer, model.parameters(), 0.05)
    generator = torch.Generator(device).manual_seed(0)
    for batch, *how in zip(*draw_epoch(len(labels), setup.batch_size, generator), strict=True):
        images = setup.task.normalise(setup.task.augment(inputs[batch], *how))
        with autocast(device, setup.precision):
            loss = F.cross_entropy(model(images), labels[batch])
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


def copied(setup, data, steps):
    """The loop most people copy: a DataLoader with two workers, in float32."""
    device = data.train.labels.device
    model = setup.task.network().to(device)
    optimizer = make_optimizer(setup.optimizer, model.parameters(), 0.05)
    loader = DataLoader(Pictures(data.train), setup.batch_size, shuffle=True, num_workers=2)
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()  # it adds up the loss at each step


def arithmetic(setup, data):
    """Large matrix products, to time: a function that makes some, and what one call is worth.

    That is a number of optimizer steps: those with as many multiplications and additions.
    """
    device = data.train.labels.device
    size, products = PRODUCTS[device.type]
    matrix = torch.randn(size, size, device=device, dtype=best_precision(device))

    def multiply():
        for _ in range(products):
            product = matrix @ matrix
        product[0, 0].item()  # waits for the device

    return multiply, products * 2 * size**3 / operations(setup, data)


def operations(setup, data):
    """Multiplications and additions of one optimizer step."""
    device = data.train.labels.device
    model = setup.task.network().to(device, memory_format=torch.channels_last)
    with FlopCounterMode(display=False) as counter:
        model(setup.task.normalise(data.train.images[: setup.batch_size])).sum().backward()
    return counter.get_total_flops()


def resnet18():
    """ResNet-18 as it is used on CIFAR-10 (He et al. 2016): 11 million weights."""
    layers = [nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    before = 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Residual(before, width, stride), Residual(width, width, 1)]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, before, width, stride):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(before, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.around = nn.Sequential()
        if (before, stride) != (width, 1):
            shortcut = nn.Conv2d(before, width, 1, stride, bias=False)
            self.around = nn.Sequential(shortcut, nn.BatchNorm2d(width))

    def forward(self, inputs):
        return F.relu(self.inner(inputs) + self.around(inputs))
