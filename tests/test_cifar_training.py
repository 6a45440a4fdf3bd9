"""The network and the loop, against plain computations written here; the entries' curves."""

import copy
import functools
import inspect
import itertools
import re
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from tiny_cifar import curve, tiny_data
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau

import lrcore
from lrcore.cifar import training
from lrcore.cifar.entries import DEFAULTS, FAIR, MIN_STEPS
from lrcore.cifar.training import (
    augment,
    best_device,
    best_precision,
    evaluate,
    network,
    normalise,
    train,
)

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = {"widths": (2, 2, 2, 4), "stride": 2, "epochs": 1, "batch_size": 10, "lr": 0.1, "seed": 1}
ENTRIES = [
    pytest.param(entry, id=f"{experiment}-{name}")
    for experiment, entries in (("defaults", DEFAULTS), ("fair", FAIR))
    for name, entry in entries.items()
]


def constant(optimizer):
    return ConstantLR(optimizer, factor=1.0)


@pytest.fixture
def data():
    return tiny_data()


@pytest.fixture
def models(monkeypatch):
    """All networks that were made, the last one last."""
    made = []

    def kept(*args):
        made.append(network(*args))
        return made[-1]

    monkeypatch.setattr(training, "network", kept)
    return made


@pytest.fixture
def linear(monkeypatch):
    """A network that takes no time, for what does not depend on the network."""
    layers = nn.Flatten(), nn.AvgPool1d(256), nn.Linear(12, 10)
    monkeypatch.setattr(training, "network", lambda *args: nn.Sequential(*copy.deepcopy(layers)))


# ---------------------------------------------------------------------- the network


def test_the_network_has_two_million_parameters():
    first, last = 3 * 24 * 9 + 24, 256 * 10 + 10
    blocks = [9 * (a * b + b * b) + 4 * b for a, b in [(24, 64), (64, 256), (256, 256)]]
    counted = sum(p.numel() for p in network((24, 64, 256, 256)).parameters())
    assert counted == first + sum(blocks) + last == 1_973_162


def test_the_network_is_the_one_of_the_recipe():
    names = [type(layer).__name__ for layer in network((2, 3, 4, 5))]
    block = ["Conv2d", "MaxPool2d", "BatchNorm2d", "GELU", "Conv2d", "BatchNorm2d", "GELU"]
    assert names == ["Conv2d", "GELU", *3 * block, "MaxPool2d", "Flatten", "Linear"]


@pytest.mark.parametrize("stride", [1, 2])
def test_the_network_gives_one_number_a_class(stride):
    model = network((2, 3, 4, 5), stride)
    shapes = []
    for layer in model:
        layer.register_forward_hook(lambda layer, args, out: shapes.append(tuple(out.shape[1:])))
    assert model(torch.zeros(7, 3, 32, 32)).shape == (7, 10)
    size = 32 // stride
    assert shapes[0] == (2, size, size)
    assert shapes[-3:] == [(5, 1, 1), (5,), (10,)]


# ---------------------------------------------------------------------- the pictures


def test_normalise_gives_floats_channels_last(data):
    images = data.train.images
    normal = normalise(images)
    assert normal.dtype == torch.float32
    assert normal.is_contiguous(memory_format=torch.channels_last)
    for n, channel, row, column in [(0, 0, 0, 0), (3, 2, 31, 5)]:
        pixel = images[n, channel, row, column].item()
        wanted = pytest.approx((pixel - 120.7) / 63.9, abs=1e-5)
        assert normal[n, channel, row, column].item() == wanted


def moved(image, down, right, mirrored):
    """The picture moved by whole pixels, zeros where nothing was, then perhaps mirrored."""
    result = torch.zeros(3, 32, 32, dtype=torch.uint8)
    rows, columns = slice(max(down, 0), 32 + down), slice(max(right, 0), 32 + right)
    result[:, rows, columns] = image[
        :, max(-down, 0) : 32 - max(down, 0), max(-right, 0) : 32 - max(right, 0)
    ]
    return result.flip(2) if mirrored else result


def test_each_picture_is_moved_and_every_second_one_mirrored(data):
    images = data.train.images
    result = augment(images, torch.Generator().manual_seed(0))
    assert result.dtype == torch.uint8 and result.shape == images.shape
    moves = list(itertools.product(range(-2, 3), range(-2, 3), (False, True)))
    seen = []
    for before, after in zip(images, result, strict=True):
        fitting = [move for move in moves if moved(before, *move).equal(after)]
        assert len(fitting) == 1
        seen += fitting
    assert len({move[:2] for move in seen}) == 25
    assert 0.4 < sum(mirrored for *_, mirrored in seen) / len(seen) < 0.6


def test_the_generator_alone_decides(data):
    images = data.train.images
    before = torch.get_rng_state()
    first = augment(images, torch.Generator().manual_seed(3))
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(99)
    assert augment(images, torch.Generator().manual_seed(3)).equal(first)
    assert not augment(images, torch.Generator().manual_seed(4)).equal(first)


def test_evaluate_agrees_with_a_plain_computation():
    images, labels = tiny_data(train=1, validation=1, test=1050).test  # more than one batch of it
    torch.manual_seed(0)
    model = network((2, 2, 2, 4), 2)
    model(normalise(images[:100]))  # so that the batch norms have statistics of their own
    state = copy.deepcopy(model.state_dict())
    accuracy, loss = evaluate(model, SimpleNamespace(images=images, labels=labels))
    assert model.training
    assert all(tensor.equal(state[name]) for name, tensor in model.state_dict().items())

    model.eval()
    with torch.no_grad():
        probabilities = model((images - 120.7) / 63.9).double().softmax(1)
    right = sum(p.argmax() == label for p, label in zip(probabilities, labels, strict=True))
    assert accuracy == pytest.approx(100 * right.item() / 1050, abs=1e-9)
    assert loss == pytest.approx(-probabilities[range(1050), labels].log().mean().item(), abs=1e-5)


# ---------------------------------------------------------------------- the loop


def plain_loop(data, rates, momenta, widths, stride, epochs, batch_size, seed):
    """The recipe once more: returns the network and the loss of each step."""
    images, labels = data.train
    torch.manual_seed(seed)
    model = network(widths, stride).to(memory_format=torch.channels_last)
    buffers = [torch.zeros_like(p) for p in model.parameters()]
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=generator)
        for first in range(0, len(labels) - batch_size + 1, batch_size):
            batch = order[first : first + batch_size]
            shifts = torch.randint(5, (2, batch_size), generator=generator)
            mirrors = torch.rand(batch_size, 1, 1, 1, generator=generator) < 0.5
            pictures = [
                moved(images[i], 2 - down, 2 - right, mirrored)
                for i, (down, right), mirrored in zip(batch, shifts.T, mirrors, strict=True)
            ]
            loss = F.cross_entropy(model(normalise(torch.stack(pictures))), labels[batch])
            model.zero_grad()
            loss.backward()
            lr, momentum = rates[len(losses)], momenta[len(losses)]
            with torch.no_grad():
                for p, buffer in zip(model.parameters(), buffers, strict=True):
                    gradient = p.grad + 5e-4 * p
                    buffer.mul_(momentum).add_(gradient)
                    p -= lr * (gradient + momentum * buffer)  # Nesterov's
            losses.append(loss.item())
    return model, losses


@pytest.mark.parametrize("scheduler", ["cosine", "one cycle"])
def test_the_loop_gives_what_a_plain_loop_gives(models, scheduler):
    data = tiny_data(train=105)  # 10 batches, and 5 images that are left out

    def make(optimizer):
        if scheduler == "cosine":
            return CosineAnnealingLR(optimizer, T_max=20)
        return OneCycleLR(optimizer, max_lr=0.1, total_steps=20)

    outcome = train(data, make, **TINY | {"epochs": 2})
    settings = {"widths": (2, 2, 2, 4), "stride": 2, "epochs": 2, "batch_size": 10, "seed": 1}
    model, losses = plain_loop(data, outcome.lr, outcome.momentum, **settings)
    for ours, plain in zip(models[0].parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-4)
    assert outcome.losses == pytest.approx(losses, rel=1e-4)  # 20 steps: a step in each twentieth
    accuracy, cross_entropy = evaluate(model, data.test)
    assert outcome.accuracy == accuracy
    assert outcome.cross_entropy == pytest.approx(cross_entropy, rel=1e-4)
    assert outcome.diverged_at is None


def test_a_vector_of_rates_gives_the_same_weights_bit_by_bit(data, models):
    """A schedule that does not look at the metric is a vector: of rates, and of momenta."""
    live = train(data, lambda optimizer: OneCycleLR(optimizer, max_lr=0.1, total_steps=30), **TINY)

    class Vector:
        def __init__(self, optimizer):
            self.group, self.t = optimizer.param_groups[0], 0
            self.set()

        def set(self):
            self.group.update(lr=live.lr[self.t], momentum=live.momentum[self.t])

        def step(self):
            self.t += 1
            if self.t < len(live.lr):
                self.set()

    assert train(data, Vector, **TINY) == live
    first, second = (model.state_dict().values() for model in models)
    assert all(a.equal(b) for a, b in zip(first, second, strict=True))


def test_the_losses_are_means_of_the_twentieths(data):
    ends = [round((i + 1) * 50 / 20 + 0.499) for i in range(20)]  # of 50 steps, rounded up
    fine = train(tiny_data(train=20), constant, **TINY | {"epochs": 10})
    assert len(fine.losses) == 20 and len(fine.lr) == 20
    settings = {"widths": (2, 2, 2, 4), "stride": 2, "epochs": 5, "batch_size": 10, "seed": 1}
    small = tiny_data(train=100)
    outcome = train(small, constant, **TINY | {"epochs": 5})
    _, losses = plain_loop(small, outcome.lr, outcome.momentum, **settings)
    starts = [0, *ends[:-1]]
    means = [sum(losses[a:b]) / (b - a) for a, b in zip(starts, ends, strict=True)]
    assert outcome.losses == pytest.approx(means, rel=1e-3)


def test_an_epoch_shows_each_image_at_most_once(linear, monkeypatch):
    data = tiny_data(train=105)
    data.train.images[:, 0, 0, 0] = torch.arange(105)  # a picture's number
    seen = []

    def spy(images, generator):
        seen.append(images[:, 0, 0, 0].tolist())
        return augment(images, generator)

    monkeypatch.setattr(training, "augment", spy)
    outcome = train(data, constant, **TINY | {"epochs": 3})
    assert [len(batch) for batch in seen] == 30 * [10]
    assert len(outcome.lr) == 30
    epochs = [sum(seen[i : i + 10], []) for i in (0, 10, 20)]
    assert all(len(set(epoch)) == 100 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert len({frozenset(epoch) for epoch in epochs}) == 3  # other ones are left out each time


def test_the_seed_decides_everything(data):
    first = train(data, constant, **TINY)
    torch.manual_seed(5)
    torch.rand(3)
    assert train(data, constant, **TINY) == first
    other = train(data, constant, **TINY | {"seed": 2})
    assert other.cross_entropy != first.cross_entropy and other.losses != first.losses


def test_it_is_judged_on_what_is_asked_for(data, models):
    for name in ("test", "validation"):
        outcome = train(data, constant, **TINY, judge_on=name)
        assert (outcome.accuracy, outcome.cross_entropy) == evaluate(
            models[-1], getattr(data, name)
        )


# ---------------------------------------------------------------------- rates and momenta


@pytest.mark.parametrize("entry", ENTRIES)
def test_rates_and_momenta_are_those_of_the_scheduler(entry, linear):
    data = tiny_data(train=40, validation=10, test=10)
    epochs, steps = 4, 80
    every = entry.every(steps, epochs)
    arguments = entry.arguments(steps // every, 0.05)
    settings = TINY | {"batch_size": 2, "epochs": epochs, "lr": 0.05, "every": every}
    if entry.make is ReduceLROnPlateau:
        arguments["threshold"] = 1e9  # it never sees an improvement; the live one is tested below
    outcome = train(data, lambda optimizer: entry.make(optimizer, **arguments), **settings)
    wanted = curve(entry, -(-steps // every), 0.05, **arguments)
    assert outcome.lr == [wanted.lr[t // every] for t in range(steps)]
    assert outcome.momentum == [wanted.momentum[t // every] for t in range(steps)]


@pytest.mark.parametrize("name", ["one_cycle_lr", "cyclic_lr"])
@pytest.mark.parametrize("entries", [FAIR, DEFAULTS], ids=["fair", "defaults"])
def test_two_schedulers_move_the_momentum(name, entries):
    momenta = curve(entries[name], 40, 0.1, **entries[name].arguments(40, 0.1)).momentum
    assert len(set(momenta)) > 5
    assert all(0.8 <= momentum <= 0.95 for momentum in momenta)


class Spy(ReduceLROnPlateau):
    """Keeps the metrics that it gets."""

    def __init__(self, optimizer, **arguments):
        self.metrics = []
        super().__init__(optimizer, **arguments)

    def step(self, metrics):
        self.metrics.append(metrics)
        super().step(metrics)


@pytest.mark.parametrize("every", [1, 7])
def test_reduce_lr_on_plateau_watches_the_validation_loss(data, models, every):
    spies, plain = [], []

    class Watched(Spy):
        def step(self, metrics):
            plain.append(evaluate(models[-1], data.validation)[1])
            super().step(metrics)

    def make(optimizer):
        spies.append(Watched(optimizer, factor=0.3, patience=0))
        return spies[0]

    outcome = train(data, make, **TINY | {"epochs": 2}, every=every)
    assert spies[0].metrics == plain
    assert len(plain) == 60 // every and len(set(plain)) > 1
    # torch's own scheduler, given these metrics, makes the same rates; and it did lower them
    settings = {"metrics": [*plain, 0.0], "factor": 0.3, "patience": 0}
    wanted = lrcore.trace(ReduceLROnPlateau, len(plain) + 1, **settings)
    assert outcome.lr == [wanted.lr[t // every] for t in range(60)]
    assert outcome.lr[-1] < 0.1


# ---------------------------------------------------------------------- divergence


@pytest.mark.parametrize("scheduler", [constant, ReduceLROnPlateau, Spy])
def test_divergence_is_an_outcome(data, scheduler):
    made = []

    def make(optimizer):
        made.append(scheduler(optimizer))
        return made[0]

    outcome = train(data, make, **TINY | {"lr": 1e6, "epochs": 3})
    assert outcome.accuracy is None and outcome.cross_entropy is None
    assert outcome.diverged_at == len(outcome.lr) == len(outcome.momentum) < 90
    assert all(loss == loss and loss < float("inf") for loss in outcome.losses)
    assert len(outcome.losses) < 20
    if scheduler is Spy:
        assert made[0].metrics[-1] != made[0].metrics[-1], "the metric was NaN, and nothing broke"


def test_a_divergence_that_only_the_evaluation_sees(data, monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda *args: (10.0, float("nan")))
    outcome = train(data, constant, **TINY)
    assert outcome[3:] == (None, None, 30) and len(outcome.losses) == 20


# ---------------------------------------------------------------------- devices and precisions


def test_the_best_device(monkeypatch):
    for cuda, mps, wanted in [
        (True, True, "cuda"),
        (True, False, "cuda"),
        (False, True, "mps"),
        (False, False, "cpu"),
    ]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert best_device() == torch.device(wanted)


def test_the_best_precision(monkeypatch):
    """A T4 emulates bfloat16, slowly: that does not count."""

    def t4(including_emulation=True):
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", t4)
    assert best_precision("cuda") == torch.float16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert best_precision(torch.device("cuda", 0)) == torch.bfloat16
    assert best_precision("cpu") == best_precision("mps") == torch.float32


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_half_precision_keeps_the_weights_in_float32(data, models, monkeypatch, precision):
    scalers, outputs = [], []

    class Scaler(torch.amp.GradScaler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            scalers.append(self)

    class Convolution(nn.Conv2d):
        def forward(self, images):
            outputs.append(super().forward(images).dtype)
            return super().forward(images)

    monkeypatch.setattr(torch.amp, "GradScaler", Scaler)
    monkeypatch.setattr(nn, "Conv2d", Convolution)
    outcome = train(data, constant, **TINY, precision=precision)
    assert {p.dtype for p in models[-1].parameters()} == {torch.float32}
    assert {p.grad.dtype for p in models[-1].parameters()} == {torch.float32}
    assert set(outputs) == {precision}
    assert [scaler.is_enabled() for scaler in scalers] == [precision == torch.float16]
    full = train(data, constant, **TINY, precision=torch.float32)
    assert outcome.losses[0] == pytest.approx(full.losses[0], rel=0.03)
    assert sum(outcome.losses) == pytest.approx(sum(full.losses), rel=0.05)
    assert (outcome.losses == full.losses) == (precision == torch.float32)


# ---------------------------------------------------------------------- the entries


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_suits_every_budget(entry):
    budgets = [(epochs, -(-MIN_STEPS // epochs) * epochs) for epochs in (1, 2, 3, 8, 16, 32)]
    for epochs, steps in [*budgets, (1, 31), (1, 47), (3, 108), (8, 800)]:
        every = entry.every(steps, epochs)
        n = steps // every
        rates = curve(entry, n, 0.2, **entry.arguments(n, 0.2)).lr
        assert all(0 <= rate <= 0.2 * (1 + 1e-12) for rate in rates)
        # the scheduler steps as often as it should
        assert {"step": n == steps, "epoch": n == epochs, 16: 16 <= n < 32}[entry.looks]


@pytest.mark.parametrize("name", FAIR)
@pytest.mark.parametrize("steps", [MIN_STEPS, 31, 36, 400])
def test_fair_schedules_use_the_whole_run(name, steps):
    entry = FAIR[name]
    n = steps // entry.every(steps, 1)
    rates = curve(entry, n, 0.2, **entry.arguments(n, 0.2)).lr
    # the warm-up of the chain and its decay go on at the same time
    peak = 0.2 * 0.01 ** ((n // 10) / n) if name == "chained_scheduler" else 0.2
    # torch puts the peak of OneCycleLR at 0.3 * n - 1, which may lie between two steps
    assert max(rates) == pytest.approx(peak, rel=0.01 if name == "one_cycle_lr" else 1e-9)
    if name not in ("constant", "constant_lr", "lambda_lr"):
        assert min(rates[-n // 5 :]) < 0.25 * peak
    if name not in ("constant", "reduce_lr_on_plateau"):
        assert len(set(rates[: n // 2])) > 1 or len(set(rates[n // 2 :])) > 1


def test_shorter_runs_than_the_entries_can_divide():
    """MIN_STEPS is not an opinion: with one step less, a share of some entry is no step."""

    def without_a_share(n):
        return [
            name
            for name, entry in FAIR.items()
            if 0 in [value for value in entry.arguments(n, 0.1).values() if type(value) is int]
        ]

    assert without_a_share(MIN_STEPS) == []
    assert without_a_share(MIN_STEPS - 1) == ["warmup_restarts", "decaying_restarts"]


# The classes of torch in DEFAULTS. What is not a class there is made by a function.
CLASSES = {
    "lambda_lr": "LambdaLR",
    "multiplicative_lr": "MultiplicativeLR",
    "sequential_lr": "SequentialLR",
    "chained_scheduler": "ChainedScheduler",
} | {name: entry.make.__name__ for name, entry in DEFAULTS.items() if inspect.isclass(entry.make)}


def example_of(cls, optimizer):
    """Make the scheduler of the first example in the docstring of `cls`.

    Arguments that have a default are left out, but for those that say how long the run is.
    """
    parameters = inspect.signature(cls).parameters
    kept = {"epochs", "steps_per_epoch", "optimizer"}

    def make(*args, **kwargs):
        for name in set(kwargs) - kept:
            if parameters[name].default is not inspect.Parameter.empty:
                del kwargs[name]
        if isinstance(kwargs.get("lr_lambda"), list):  # one for each of two groups
            kwargs["lr_lambda"] = kwargs["lr_lambda"][-1]
        return cls(*args, **kwargs)

    lines = re.findall(r"^ *(?:>>>|\.\.\.) ?(.*)$", inspect.getdoc(cls), re.MULTILINE)
    code = "\n".join(itertools.takewhile(lambda line: not line.startswith("for "), lines))
    known = {**vars(lr_scheduler), cls.__name__: make}
    stand_in = Mock()  # of torch, model and data: what matters is the scheduler
    stand_in.optim.lr_scheduler = SimpleNamespace(**known)
    stand_in.optim.SGD.return_value = optimizer
    stand_in.utils.data.DataLoader.return_value = range(10)
    known |= {"torch": stand_in, "model": stand_in, "optimizer": optimizer}
    exec(code, known)
    return known["scheduler"]


def test_every_default_has_a_class():
    assert set(DEFAULTS) - set(CLASSES) == {"constant"}


@pytest.mark.parametrize("name", CLASSES)
def test_defaults_are_those_of_torch_and_of_its_examples(name):
    entry, cls = DEFAULTS[name], getattr(lr_scheduler, CLASSES[name])
    example = functools.partial(example_of, cls)
    metrics = [1.0] * 100 if cls is ReduceLROnPlateau else None
    ours = curve(entry, 100, 0.1, **entry.arguments(100, 0.1))
    assert lrcore.trace(example, 100, metrics=metrics) == ours
    once_a_batch = "for batch in data_loader:" in inspect.getdoc(cls)
    assert entry.looks == ("step" if once_a_batch else "epoch")
