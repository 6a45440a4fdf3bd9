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
from lrcore.cifar import recall, training
from lrcore.cifar.data import Images
from lrcore.cifar.entries import DEFAULTS, EXPERIMENTS, FAIR, HORIZON, MIN_STEPS
from lrcore.cifar.networks import Task, augment, network, normalise, pictures, sequences
from lrcore.cifar.training import (
    OPTIMIZERS,
    Setup,
    best_device,
    best_precision,
    draw_epoch,
    ends_of_pieces,
    evaluate,
    make_optimizer,
    momentum_of,
    train,
)

pytestmark = pytest.mark.usefixtures("one_thread")

SETUP = Setup(pictures((2, 2, 2, 4), 2), "SGD", 10, torch.float32)
ONCE = {"epochs": 1, "lr": 0.1, "seed": 1}
ENTRIES = [
    pytest.param(entry, id=f"{experiment}-{name}")
    for experiment, entries in EXPERIMENTS.items()
    if experiment != "tuning"  # which has those of the fair test
    for name, entry in entries.items()
]


def constant(optimizer):
    return ConstantLR(optimizer, factor=1.0)


@pytest.fixture
def data():
    return tiny_data()


@pytest.fixture
def models():
    """All networks that `kept` made, the last one last."""
    return []


@pytest.fixture
def kept(models):
    """The setup whose networks can be looked at after the training: they are in `models`."""

    def made():
        models.append(network((2, 2, 2, 4), 2))
        return models[-1]

    return SETUP._replace(task=Task(made, augment, normalise))


@pytest.fixture
def linear():
    """A setup whose network takes no time, for what does not depend on the network."""
    layers = nn.Flatten(), nn.AvgPool1d(256), nn.Linear(12, 10)
    task = Task(lambda: nn.Sequential(*copy.deepcopy(layers)), augment, normalise)
    return SETUP._replace(task=task)


@pytest.fixture
def small_sequences():
    """As `data`, but sequences of recall.py."""
    whole = recall.load()
    return whole._replace(
        train=Images(*(tensor[:300] for tensor in whole.train)),
        validation=Images(*(tensor[:50] for tensor in whole.validation)),
        test=Images(*(tensor[:50] for tensor in whole.test)),
    )


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


def test_augment_moves_and_mirrors_as_it_is_told(data):
    """Every shift, with and without a mirror: zeros come in where nothing was."""
    told = list(itertools.product(range(5), range(5), (False, True)))
    down, right, mirrors = torch.tensor(told).T
    images = data.train.images[: len(told)]
    result = augment(images, torch.stack([down, right]), mirrors.bool())
    assert result.dtype == torch.uint8 and result.shape == images.shape
    for before, after, (down, right, mirrored) in zip(images, result, told, strict=True):
        assert moved(before, 2 - down, 2 - right, mirrored).equal(after)


def test_every_shift_is_as_likely_and_every_second_picture_mirrored():
    draws = draw_epoch(3000, 100, torch.Generator().manual_seed(0))
    assert draws.shifts.shape == (30, 2, 100) and draws.mirrors.shape == (30, 100)
    shifts = (5 * draws.shifts[:, 0] + draws.shifts[:, 1]).flatten().bincount()
    # 120 of each are expected, 11 more or less are one standard deviation
    assert len(shifts) == 25 and 65 < shifts.min() and shifts.max() < 175
    assert 0.45 < draws.mirrors.float().mean() < 0.55


def test_the_generator_alone_decides():
    def drawn(seed):
        return draw_epoch(105, 10, torch.Generator().manual_seed(seed))

    before = torch.get_rng_state()
    first = drawn(3)
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(99)
    assert all(a.equal(b) for a, b in zip(drawn(3), first, strict=True))
    assert not any(a.equal(b) for a, b in zip(drawn(4), first, strict=True))


def test_an_epoch_draws_no_image_twice_and_leaves_the_rest_out():
    generator = torch.Generator().manual_seed(0)
    first, second = (draw_epoch(105, 10, generator).order for _ in range(2))
    for order in (first, second):
        assert order.shape == (10, 10) and len(order.unique()) == 100
        assert 0 <= order.min() and order.max() < 105
    assert set(first.flatten().tolist()) != set(second.flatten().tolist())


def test_sequences_are_taken_as_they_are():
    task = sequences(recall.transformer)
    assert task.network is recall.transformer
    draws = draw_epoch(10, 10, torch.Generator())
    tokens = torch.arange(90, dtype=torch.uint8).view(10, 9)
    taken = task.normalise(task.augment(tokens, draws.shifts[0], draws.mirrors[0]))
    assert taken.equal(tokens) and taken.dtype == torch.uint8


def test_evaluate_agrees_with_a_plain_computation():
    images, labels = tiny_data(train=1, validation=1, test=1050).test  # more than one batch of it
    torch.manual_seed(0)
    model = network((2, 2, 2, 4), 2)
    model(normalise(images[:100]))  # so that the batch norms have statistics of their own
    state = copy.deepcopy(model.state_dict())
    accuracy, loss = evaluate(model, Images(images, labels), SETUP)
    assert model.training
    assert all(tensor.equal(state[name]) for name, tensor in model.state_dict().items())

    model.eval()
    with torch.no_grad():
        probabilities = model((images - 120.7) / 63.9).double().softmax(1)
    right = sum(p.argmax() == label for p, label in zip(probabilities, labels, strict=True))
    assert accuracy == pytest.approx(100 * right.item() / 1050, abs=1e-9)
    assert loss == pytest.approx(-probabilities[range(1050), labels].log().mean().item(), abs=1e-5)


# ---------------------------------------------------------------------- the loop


def plain_sgd(p, gradient, state, t, lr, momentum):
    """One step of SGD with Nesterov's momentum."""
    gradient = gradient + 5e-4 * p
    state["sum"] = momentum * state.get("sum", 0) + gradient
    p -= lr * (gradient + momentum * state["sum"])


def plain_adamw(p, gradient, state, t, lr, beta1):
    """Step t = 0, 1, ... of AdamW as its paper has it; the momentum is the first beta."""
    p -= lr * 0.01 * p
    state["mean"] = beta1 * state.get("mean", 0) + (1 - beta1) * gradient
    state["square"] = 0.999 * state.get("square", 0) + 0.001 * gradient**2
    mean, square = state["mean"] / (1 - beta1 ** (t + 1)), state["square"] / (1 - 0.999 ** (t + 1))
    p -= lr * mean / (square.sqrt() + 1e-8)


def plain_loop(data, rates, momenta, epochs, update=plain_sgd, batch_size=10, seed=1):
    """The recipe once more: returns the network and the loss of each step."""
    images, labels = data.train
    torch.manual_seed(seed)
    model = network((2, 2, 2, 4), 2).to(memory_format=torch.channels_last)
    states = [{} for _ in model.parameters()]
    generator = torch.Generator().manual_seed(seed)
    steps = len(labels) // batch_size
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=generator)
        shifts = torch.randint(5, (steps, 2, batch_size), generator=generator)
        mirrors = torch.rand(steps, batch_size, generator=generator) < 0.5
        for step in range(steps):
            batch = order[step * batch_size : (step + 1) * batch_size]
            moves = zip(batch, shifts[step].T, mirrors[step], strict=True)
            pictures = [
                moved(images[i], 2 - down, 2 - right, mirrored)
                for i, (down, right), mirrored in moves
            ]
            loss = F.cross_entropy(model(normalise(torch.stack(pictures))), labels[batch])
            model.zero_grad()
            loss.backward()
            t = len(losses)
            with torch.no_grad():
                for p, state in zip(model.parameters(), states, strict=True):
                    update(p, p.grad, state, t, rates[t], momenta[t])
            losses.append(loss.item())
    return model, losses


@pytest.mark.parametrize("scheduler", ["cosine", "one cycle"])
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_the_loop_gives_what_a_plain_loop_gives(models, kept, optimizer, scheduler):
    data = tiny_data(train=105)  # 10 batches, and 5 images that are left out
    peak = {"SGD": 0.1, "AdamW": 0.01}[optimizer]

    def make(optimizer):
        if scheduler == "cosine":
            return CosineAnnealingLR(optimizer, T_max=20)
        return OneCycleLR(optimizer, max_lr=peak, total_steps=20)

    how = ONCE | {"epochs": 2, "lr": peak}
    outcome = train(data, kept._replace(optimizer=optimizer), make, **how)
    update = {"SGD": plain_sgd, "AdamW": plain_adamw}[optimizer]
    model, losses = plain_loop(data, outcome.lr, outcome.momentum, 2, update)
    for ours, plain in zip(models[0].parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-4)
    assert outcome.losses == pytest.approx(losses, rel=1e-4)  # 20 steps: a step in each twentieth
    accuracy, cross_entropy = evaluate(model, data.test, SETUP)
    assert outcome.accuracy == accuracy
    assert outcome.cross_entropy == pytest.approx(cross_entropy, rel=1e-4)
    assert outcome.diverged_at is None


def test_the_optimizers_are_those_of_the_recipe():
    weights = [nn.Parameter(torch.zeros(1))]
    sgd, adamw = (make_optimizer(name, weights, 0.25) for name in ("SGD", "AdamW"))
    assert type(sgd) is torch.optim.SGD and type(adamw) is torch.optim.AdamW
    assert (
        sgd.defaults
        == torch.optim.SGD(
            weights, lr=0.25, momentum=0.9, nesterov=True, weight_decay=5e-4
        ).defaults
    )
    # all that is written down for AdamW is what torch does by itself
    assert adamw.defaults == torch.optim.AdamW(weights, lr=0.25).defaults
    assert set(OPTIMIZERS) == {"SGD", "AdamW"}
    assert momentum_of(sgd.param_groups[0]) == momentum_of(adamw.param_groups[0]) == 0.9
    adamw.param_groups[0]["betas"] = (0.75, 0.999)
    assert momentum_of(adamw.param_groups[0]) == 0.75


def test_the_transformer_is_trained_by_the_same_loop(small_sequences):
    task = sequences(functools.partial(recall.transformer, width=8, layers=1, heads=2))
    setup = Setup(task, "AdamW", 10, torch.float32)
    outcome = train(small_sequences, setup, constant, **ONCE | {"lr": 0.001})
    torch.manual_seed(1)
    model = task.network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)
    inputs, labels = small_sequences.train
    losses = []
    for batch in torch.randperm(300, generator=torch.Generator().manual_seed(1)).split(10):
        loss = F.cross_entropy(model(inputs[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    ends = ends_of_pieces(30)
    means = [sum(losses[a:b]) / (b - a) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    assert outcome.losses == pytest.approx(means, rel=1e-5)
    judged = evaluate(model, small_sequences.test, setup)
    assert (outcome.accuracy, outcome.cross_entropy) == pytest.approx(judged, rel=1e-5)


def test_a_vector_of_rates_gives_the_same_weights_bit_by_bit(data, models, kept):
    """A schedule that does not look at the metric is a vector: of rates, and of momenta."""
    one_cycle = functools.partial(OneCycleLR, max_lr=0.1, total_steps=30)
    live = train(data, kept, one_cycle, **ONCE)

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

    assert train(data, kept, Vector, **ONCE) == live
    first, second = (model.state_dict().values() for model in models)
    assert all(a.equal(b) for a, b in zip(first, second, strict=True))


def test_the_losses_are_means_of_the_twentieths():
    ends = [round((i + 1) * 50 / 20 + 0.499) for i in range(20)]  # of 50 steps, rounded up
    assert ends_of_pieces(50) == ends
    fine = train(tiny_data(train=20), SETUP, constant, **ONCE | {"epochs": 10})
    assert len(fine.losses) == 20 and len(fine.lr) == 20
    small = tiny_data(train=100)
    outcome = train(small, SETUP, constant, **ONCE | {"epochs": 5})
    _, losses = plain_loop(small, outcome.lr, outcome.momentum, 5)
    starts = [0, *ends[:-1]]
    means = [sum(losses[a:b]) / (b - a) for a, b in zip(starts, ends, strict=True)]
    assert outcome.losses == pytest.approx(means, rel=1e-3)


def test_an_epoch_shows_each_image_at_most_once(linear):
    data = tiny_data(train=105)
    data.train.images[:, 0, 0, 0] = torch.arange(105)  # a picture's number
    seen = []

    def spy(images, shifts, mirrors):
        seen.append(images[:, 0, 0, 0].tolist())
        return augment(images, shifts, mirrors)

    setup = linear._replace(task=linear.task._replace(augment=spy))
    outcome = train(data, setup, constant, **ONCE | {"epochs": 3})
    assert [len(batch) for batch in seen] == 30 * [10]
    assert len(outcome.lr) == 30
    epochs = [sum(seen[i : i + 10], []) for i in (0, 10, 20)]
    assert all(len(set(epoch)) == 100 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert len({frozenset(epoch) for epoch in epochs}) == 3  # other ones are left out each time


def test_the_seed_decides_everything(data):
    first = train(data, SETUP, constant, **ONCE)
    torch.manual_seed(5)
    torch.rand(3)
    assert train(data, SETUP, constant, **ONCE) == first
    other = train(data, SETUP, constant, **ONCE | {"seed": 2})
    assert other.cross_entropy != first.cross_entropy and other.losses != first.losses


def test_it_is_judged_on_what_is_asked_for(data, models, kept):
    for name in ("test", "validation"):
        outcome = train(data, kept, constant, **ONCE, judge_on=name)
        judged = evaluate(models[-1], getattr(data, name), kept)
        assert (outcome.accuracy, outcome.cross_entropy) == judged


@pytest.mark.parametrize("judge_on", ["test", "validation"])
def test_along_the_run_it_is_judged_after_each_epoch(judge_on):
    """What it then was is what a run is that ends there; to be judged changes nothing."""
    data = tiny_data(train=100)
    how = ONCE | {"judge_on": judge_on}
    whole = train(data, SETUP, constant, **how | {"epochs": 3}, along=True)
    ends = [train(data, SETUP, constant, **how | {"epochs": n}) for n in (1, 2, 3)]
    assert whole.evaluations == [
        (n + 1, end.accuracy, end.cross_entropy) for n, end in enumerate(ends)
    ]
    assert whole._replace(evaluations=[]) == ends[2]


# ---------------------------------------------------------------------- rates and momenta


@pytest.mark.parametrize("entry", ENTRIES)
def test_rates_and_momenta_are_those_of_the_scheduler(entry, linear):
    data = tiny_data(train=40, validation=10, test=10)
    epochs, steps = 4, 80
    every = entry.every(steps, epochs)
    arguments = entry.arguments(steps // every, 0.05)
    how = ONCE | {"epochs": epochs, "lr": 0.05, "every": every}
    if entry.make is ReduceLROnPlateau:
        arguments["threshold"] = 1e9  # it never sees an improvement; the live one is tested below
    make = functools.partial(entry.make, **arguments)
    outcome = train(data, linear._replace(batch_size=2), make, **how)
    wanted = curve(entry, -(-steps // every), 0.05, **arguments)
    assert outcome.lr == [wanted.lr[t // every] for t in range(steps)]
    assert outcome.momentum == [wanted.momentum[t // every] for t in range(steps)]


MOVING = {
    "defaults": {"cyclic_lr", "one_cycle_lr"},  # torch lets both by itself
    "fair": {"cyclic_momentum", "one_cycle_momentum"},
    "horizon": set(),
}


@pytest.mark.parametrize("experiment", MOVING)
def test_two_schedulers_move_the_momentum(experiment):
    for name, entry in EXPERIMENTS[experiment].items():
        momenta = curve(entry, 40, 0.1, **entry.arguments(40, 0.1)).momentum
        if name in MOVING[experiment]:
            assert len(set(momenta)) > 5
            assert all(0.8 <= momentum <= 0.95 for momentum in momenta)
        else:
            assert set(momenta) == {0.9}


@pytest.mark.parametrize(
    "still, moving", [("cyclic_lr", "cyclic_momentum"), ("one_cycle_lr", "one_cycle_momentum")]
)
def test_with_a_moving_momentum_the_rates_are_the_same(still, moving):
    with_it, without = (
        curve(FAIR[name], 40, 0.1, **FAIR[name].arguments(40, 0.1)) for name in (moving, still)
    )
    assert with_it.lr == without.lr


class Spy(ReduceLROnPlateau):
    """Keeps the metrics that it gets."""

    def __init__(self, optimizer, **arguments):
        self.metrics = []
        super().__init__(optimizer, **arguments)

    def step(self, metrics):
        self.metrics.append(metrics)
        super().step(metrics)


@pytest.mark.parametrize("every", [1, 7])
def test_reduce_lr_on_plateau_watches_the_validation_loss(data, models, kept, every):
    spies, plain = [], []

    class Watched(Spy):
        def step(self, metrics):
            plain.append(evaluate(models[-1], data.validation, kept)[1])
            super().step(metrics)

    def make(optimizer):
        spies.append(Watched(optimizer, factor=0.3, patience=0))
        return spies[0]

    outcome = train(data, kept, make, **ONCE | {"epochs": 2}, every=every)
    assert spies[0].metrics == plain
    assert len(plain) == 60 // every and len(set(plain)) > 1
    # torch's own scheduler, given these metrics, makes the same rates; and it did lower them
    settings = {"lr": 0.1, "metrics": [*plain, 0.0], "factor": 0.3, "patience": 0}
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

    outcome = train(data, SETUP, make, **ONCE | {"lr": 1e6, "epochs": 3}, along=True)
    assert outcome.accuracy is None and outcome.cross_entropy is None
    assert outcome.diverged_at == len(outcome.lr) == len(outcome.momentum) < 90
    assert all(loss == loss and loss < float("inf") for loss in outcome.losses)
    assert len(outcome.losses) < 20
    assert outcome.evaluations == []
    if scheduler is Spy:
        assert made[0].metrics[-1] != made[0].metrics[-1], "the metric was NaN, and nothing broke"


def test_a_divergence_that_only_the_evaluation_sees(data, monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda *args: (10.0, float("nan")))
    outcome = train(data, SETUP, constant, **ONCE, along=True)
    assert outcome[3:] == (None, None, 30, []) and len(outcome.losses) == 20


class Huge(nn.Module):
    """Ten scores that lie 2e36 apart: float32 holds each loss, but not the sum of all losses."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(10))

    def forward(self, images):
        return self.shift + 2e36 * torch.arange(10) + 0 * images.flatten(1).mean(1, keepdim=True)


def test_large_losses_are_no_divergence(data):
    setup = SETUP._replace(task=Task(Huge, augment, normalise))
    outcome = train(data, setup, constant, **ONCE | {"epochs": 3})
    assert len(outcome.lr) == 90 and len(outcome.losses) == 20
    assert min(outcome.losses) > 1e36


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
def test_half_precision_keeps_the_weights_in_float32(data, models, kept, monkeypatch, precision):
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
    outcome = train(data, kept._replace(precision=precision), constant, **ONCE)
    assert {p.dtype for p in models[-1].parameters()} == {torch.float32}
    assert {p.grad.dtype for p in models[-1].parameters()} == {torch.float32}
    assert set(outputs) == {precision}
    assert [scaler.is_enabled() for scaler in scalers] == [precision == torch.float16]
    full = train(data, SETUP, constant, **ONCE)
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
    one_cycle = name in ("one_cycle_lr", "one_cycle_momentum")
    assert max(rates) == pytest.approx(peak, rel=0.01 if one_cycle else 1e-9)
    if name not in ("constant", "constant_lr", "lambda_lr", "warmup_constant"):
        assert min(rates[-n // 5 :]) < 0.25 * peak
    if name not in ("constant", "reduce_lr_on_plateau"):
        assert len(set(rates[: n // 2])) > 1 or len(set(rates[n // 2 :])) > 1


def test_an_unknown_horizon_is_a_schedule_for_twice_as_many_steps():
    """Until it is stopped at n, or cools down from a checkpoint, as if it went on to 2 n."""
    n = 80

    def rates(entry, steps):
        return curve(entry, steps, 0.2, **entry.arguments(steps, 0.2)).lr

    cosine, wsd = (
        rates(FAIR[name], 2 * n) for name in ("cosine_annealing_lr", "warmup_stable_decay")
    )
    assert rates(HORIZON["cosine_planned_double"], n) == cosine[:n]
    assert rates(HORIZON["wsd_not_cooled"], n) == pytest.approx(wsd[:n])
    cooled = rates(HORIZON["wsd_from_checkpoint"], n)
    assert cooled[:60] == pytest.approx(wsd[:60])
    # the cooldown is that of a run that was planned right
    assert cooled[60:] == pytest.approx(rates(FAIR["warmup_stable_decay"], n)[60:])
    assert HORIZON["cosine_planned_right"] is FAIR["cosine_annealing_lr"]
    assert HORIZON["wsd_planned_right"] is FAIR["warmup_stable_decay"]


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
    assert lrcore.trace(example, 100, lr=0.1, metrics=metrics) == ours
    once_a_batch = "for batch in data_loader:" in inspect.getdoc(cls)
    assert entry.looks == ("step" if once_a_batch else "epoch")
