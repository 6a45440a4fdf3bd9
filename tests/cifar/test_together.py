"""Many runs trained together give what `train` gives for each; float64 shows it step by step."""

import functools
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_cifar import tiny_data
from torch import nn
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    CyclicLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from lrcore.cifar import recall
from lrcore.cifar.data import Images
from lrcore.cifar.entries import EXPERIMENTS
from lrcore.cifar.networks import Task, augment, network, normalise, pictures, sequences
from lrcore.cifar.together import FlatAdamW, FlatSGD, Member, Schedule, Together, parts, room
from lrcore.cifar.training import OPTIMIZERS, Setup, make_optimizer, momentum_of, train

pytestmark = pytest.mark.usefixtures("one_thread")

SETUP = Setup(pictures((2, 2, 2, 4), 2), "SGD", 10, torch.float32)
small_transformer = functools.partial(recall.transformer, width=8, layers=2, heads=2)
CONSTANT = functools.partial(ConstantLR, factor=1.0)
FLAT = {"SGD": FlatSGD, "AdamW": FlatAdamW}


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def some_data(train=65):
    """Six batches of 10 in an epoch; 5 images are left out."""
    return tiny_data(train=train, validation=30, test=40)


def some_sequences():
    whole = recall.load()
    sizes = {"train": 65, "validation": 30, "test": 40}
    few = {
        name: Images(*(tensor[:n] for tensor in getattr(whole, name))) for name, n in sizes.items()
    }
    return whole._replace(**few)


def some_members(lr, steps):
    """One of each kind; the last ones step more seldom than the optimizer."""
    return [
        Member(CONSTANT, lr, 1),
        Member(functools.partial(CosineAnnealingLR, T_max=steps), 2 * lr, 1),
        Member(functools.partial(OneCycleLR, max_lr=lr, total_steps=steps), lr, 1),
        Member(functools.partial(CyclicLR, base_lr=lr / 9, max_lr=lr, step_size_up=5), lr, 1),
        # it never sees an improvement of that size: each look but the first lowers the rate
        Member(functools.partial(ReduceLROnPlateau, factor=0.5, patience=0, threshold=9), lr, 4),
        Member(functools.partial(StepLR, step_size=1, gamma=0.8), lr, 5),
    ]


def alone(data, setup, members, **how):
    return [train(data, setup, make, lr=lr, every=every, **how) for make, lr, every in members]


def assert_same(outcome, wanted, tolerance):
    close = functools.partial(pytest.approx, rel=tolerance, abs=tolerance)
    assert outcome.lr == wanted.lr
    assert outcome.momentum == wanted.momentum
    assert outcome.losses == close(wanted.losses)
    assert outcome.accuracy == wanted.accuracy
    assert outcome.cross_entropy == close(wanted.cross_entropy)
    assert outcome.diverged_at is wanted.diverged_at is None
    assert len(outcome.evaluations) == len(wanted.evaluations)
    for ours, theirs in zip(outcome.evaluations, wanted.evaluations, strict=True):
        assert ours == close(theirs)


# ---------------------------------------------------------------------- the same as alone


@pytest.mark.parametrize(
    "case, judge_on", [("SGD", "validation"), ("AdamW", "test"), ("transformer", "validation")]
)
def test_each_member_gets_what_it_would_get_alone(case, judge_on, float64):
    data = some_sequences() if case == "transformer" else some_data()
    task = sequences(small_transformer) if case == "transformer" else SETUP.task
    optimizer = "SGD" if case == "SGD" else "AdamW"
    setup = Setup(task, optimizer, 10, torch.float64)
    members = some_members(0.02 if case == "SGD" else 0.004, 24)
    how = {"epochs": 4, "seed": 3, "judge_on": judge_on, "along": True}
    outcomes = Together(data, setup, len(members), 24).train(members, **how)
    wanted = alone(data, setup, members, **how)
    for outcome, one in zip(outcomes, wanted, strict=True):
        assert_same(outcome, one, 1e-10)
        assert [epoch for epoch, *_ in outcome.evaluations] == [1, 2, 3, 4]
    # the members differ in what they are to show, so nobody got the row of another
    assert len({outcome.cross_entropy for outcome in outcomes}) == len(members)
    assert len(set(outcomes[2].momentum)) > 5 and len(set(outcomes[3].momentum)) > 5
    assert len(set(outcomes[4].lr)) == 6  # it was lowered at each look but the first and the last


def test_plateau_looks_at_its_own_validation_loss(float64):
    """The rule of torch, with its own threshold, on losses that rise and fall."""
    data, setup = some_data(), SETUP._replace(precision=torch.float64)
    make = functools.partial(ReduceLROnPlateau, factor=0.3, patience=0)
    members = [Member(make, lr, every) for lr, every in [(0.02, 1), (0.1, 1), (0.1, 5)]]
    outcomes = Together(data, setup, 3, 24).train(members, epochs=4, seed=3)
    for outcome, one in zip(outcomes, alone(data, setup, members, epochs=4, seed=3), strict=True):
        assert_same(outcome, one, 1e-10)
        assert outcome.evaluations == []
    assert all(len(set(outcome.lr)) > 1 for outcome in outcomes)
    places = [[b < a for a, b in itertools.pairwise(outcome.lr)] for outcome in outcomes]
    assert places[0] != places[1] != places[2]


@pytest.mark.parametrize("optimizer, lr", [("SGD", 0.02), ("AdamW", 0.001)])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_first_step_is_the_same_in_lower_precision(optimizer, lr, precision):
    """Later steps cannot be compared: training makes rounding errors grow."""
    made = []

    def kept():
        made.append(network((2, 2, 2, 4), 2))
        return made[-1]

    data = some_data(train=10)
    setup = Setup(Task(kept, augment, normalise), optimizer, 10, precision)
    together = Together(data, setup, 2, 1)
    members = [Member(CONSTANT, lr, 1), Member(CONSTANT, 2 * lr, 1)]
    outcomes = together.train(members, epochs=1, seed=3)
    # AdamW divides by the size of a gradient: of one that is nothing but rounding it makes a step
    allowed = 1e-6 if optimizer == "SGD" else 2e-6
    for model, member, outcome in zip(together.models, members, outcomes, strict=True):
        (wanted,) = alone(data, setup, [member], epochs=1, seed=3)
        assert outcome.losses == pytest.approx(wanted.losses, abs=1e-6)
        for ours, plain in zip(model.parameters(), made[-1].parameters(), strict=True):
            assert ours.dtype == torch.float32
            torch.testing.assert_close(ours, plain, rtol=0, atol=allowed)


def test_the_weights_stay_in_their_rows():
    data = some_data()
    together = Together(data, SETUP, 2, 6)
    together.train([Member(CONSTANT, 0.1, 1)] * 2, epochs=1, seed=3)
    for row, model in zip(together.weights, together.models, strict=True):
        for weight, view in zip(model.parameters(), parts(row, model), strict=True):
            assert weight.data_ptr() == view.data_ptr() and weight.equal(view)
    assert together.weights[0].any() and together.weights[0].equal(together.weights[1])


# ---------------------------------------------------------------------- group after group


@pytest.mark.parametrize("optimizer, lr", [("SGD", 0.02), ("AdamW", 0.004)])
def test_a_group_leaves_nothing_behind(optimizer, lr):
    data, setup = some_data(), SETUP._replace(optimizer=optimizer)
    second = {"members": some_members(lr, 12)[1:4], "epochs": 2, "seed": 8, "along": True}
    together = Together(data, setup, 6, 24)
    # one of the first group diverges too: what is not a number must not stay anywhere
    first = [*some_members(lr, 24)[:5], Member(CONSTANT, 1e30, 1)]
    before = together.train(first, epochs=4, seed=3)
    assert before[5].accuracy is None
    assert together.train(**second) == Together(data, setup, 6, 24).train(**second)
    # the rows that the second group left alone are as good as the others
    assert together.train(first, epochs=4, seed=3) == before


def test_the_place_among_the_others_does_not_matter():
    data, members = some_data(), some_members(0.02, 12)
    how = {"epochs": 2, "seed": 3}
    together = Together(data, SETUP, 6, 12)
    outcomes = together.train(members, **how)
    assert together.train(members[::-1], **how) == outcomes[::-1]
    for member, outcome in zip(members, outcomes, strict=True):
        assert together.train([member], **how) == [outcome]


def test_another_seed_is_another_run():
    data, members = some_data(), [Member(CONSTANT, 0.02, 1)]
    together = Together(data, SETUP, 1, 6)
    first, other = (together.train(members, epochs=1, seed=seed)[0] for seed in (3, 4))
    assert first.losses != other.losses and first.cross_entropy != other.cross_entropy


@pytest.mark.parametrize("optimizer, lr", [("SGD", 0.02), ("AdamW", 0.004)])
def test_a_member_that_diverges_leaves_its_neighbours_alone(optimizer, lr):
    data, setup = some_data(), SETUP._replace(optimizer=optimizer)
    plateau = functools.partial(ReduceLROnPlateau, factor=0.5, patience=0)
    healthy = some_members(lr, 24)[:3]
    wild = [Member(CONSTANT, 1e30, 1), Member(plateau, 1e30, 2)]
    how = {"epochs": 4, "seed": 3, "along": True}
    together = Together(data, setup, 5, 24)
    calm = together.train([healthy[0], *healthy, healthy[0]], **how)
    outcomes = together.train([wild[0], *healthy, wild[1]], **how)
    assert outcomes[1:4] == calm[1:4]
    for outcome, one in zip(outcomes[::4], alone(data, setup, wild, **how), strict=True):
        assert outcome.accuracy is None and outcome.cross_entropy is None
        assert outcome.diverged_at == one.diverged_at == len(outcome.lr) == len(outcome.momentum)
        assert outcome.diverged_at < 24 and outcome.evaluations == []
        assert outcome.lr == one.lr
        assert outcome.losses == pytest.approx(one.losses, rel=1e-5)


# ---------------------------------------------------------------------- the optimizers

STEPS = st.lists(
    st.tuples(
        *[st.floats(1e-4, 1.0)] * 2,  # the rates of two runs
        # their momenta; at exactly 0 torch's SGD starts no buffer, but no scheduler sets that
        *[st.floats(0.01, 0.99)] * 2,
        st.sampled_from([1e-9, 1e-3, 1.0]),  # the size of the gradients: eps matters too
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("name", OPTIMIZERS)
@given(steps=STEPS, seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_a_flat_optimizer_is_the_one_of_torch_for_each_run(name, steps, seed):
    generator = torch.Generator().manual_seed(seed)

    def numbers():
        return torch.randn(2, 5, generator=generator, dtype=torch.float64)

    weights = numbers()
    alone = [nn.Parameter(row.clone()) for row in weights]
    theirs = [make_optimizer(name, [parameter], 1.0) for parameter in alone]
    flat = FLAT[name](weights)
    # what it did before, and for other weights, is forgotten
    half = torch.full((2, 1), 0.5, dtype=torch.float64)
    flat.update(numbers(), numbers(), half, half, torch.tensor([1]))
    flat.reset()
    for t, (*settings_of_step, size) in enumerate(steps):
        gradients = size * numbers()
        rates, momenta = settings_of_step[:2], settings_of_step[2:]
        for i, (parameter, optimizer) in enumerate(zip(alone, theirs, strict=True)):
            (group,) = optimizer.param_groups
            group["lr"] = rates[i]
            if name == "SGD":
                group["momentum"] = momenta[i]
            else:
                group["betas"] = (momenta[i], group["betas"][1])
            parameter.grad = gradients[i].clone()
            optimizer.step()
        lr, momentum = (
            torch.tensor(values, dtype=torch.float64)[:, None] for values in (rates, momenta)
        )
        flat.update(weights, gradients, lr, momentum, torch.tensor([t + 1]))
        torch.testing.assert_close(weights, torch.stack(alone).detach(), rtol=1e-10, atol=1e-12)


# ---------------------------------------------------------------------- the tables

ENTRIES = [
    pytest.param(entry, id=f"{experiment}-{name}")
    for experiment, entries in EXPERIMENTS.items()
    if experiment != "tuning"  # which has those of the fair test
    for name, entry in entries.items()
]
IN_ADVANCE = [case for case in ENTRIES if case.values[0].make is not ReduceLROnPlateau]


def really_set(make, optimizer, lr, steps, every):
    """What a scheduler sets in an optimizer that is in use."""
    parameter = nn.Parameter(torch.ones(1))
    used = make_optimizer(optimizer, [parameter], lr)
    scheduler = make(used)
    seen = []
    for t in range(steps):
        seen.append((used.param_groups[0]["lr"], momentum_of(used.param_groups[0])))
        parameter.grad = torch.ones(1)
        used.step()
        if (t + 1) % every == 0:
            scheduler.step()
    return [list(values) for values in zip(*seen, strict=True)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("entry", IN_ADVANCE)
def test_the_tables_hold_what_the_scheduler_sets(entry, optimizer):
    steps, epochs = 90, 3
    every = entry.every(steps, epochs)
    make = functools.partial(entry.make, **entry.arguments(steps // every, 0.05))
    schedule = Schedule(Member(make, 0.05, every), optimizer, steps)
    assert not schedule.looks
    assert [schedule.lr, schedule.momentum] == really_set(make, optimizer, 0.05, steps, every)


def test_a_scheduler_that_looks_is_told_and_sets_the_later_steps():
    make = functools.partial(ReduceLROnPlateau, factor=0.5, patience=0)
    schedule = Schedule(Member(make, 0.5, 3), "SGD", 12)
    assert schedule.looks and schedule.lr == 12 * [0.5] and schedule.momentum == 12 * [0.9]
    schedule.look(1.0, 3)
    assert schedule.lr == 12 * [0.5]
    schedule.look(2.0, 6)  # worse than before
    assert schedule.lr == 6 * [0.5] + 6 * [0.25]
    schedule.look(0.5, 9)  # better
    assert schedule.lr == 6 * [0.5] + 6 * [0.25]
    assert schedule.momentum == 12 * [0.9]


def test_only_plateau_looks():
    looking = {case.id for case in ENTRIES} - {case.id for case in IN_ADVANCE}
    assert looking == {"defaults-reduce_lr_on_plateau", "fair-reduce_lr_on_plateau"}


# ---------------------------------------------------------------------- a row of weights


@pytest.mark.parametrize(
    "model",
    [network((2, 3, 4, 5)), network((24, 64, 70, 9)), small_transformer()],
    ids=["tiny", "wide", "transformer"],
)
def test_parts_of_a_row(model):
    weights = list(model.parameters())
    count = sum(room(weight) for weight in weights)
    row = torch.arange(float(count))  # each number is its own place
    views = parts(row, model)
    assert [view.shape for view in views] == [weight.shape for weight in weights]
    places = []
    for view in views:
        start = view.storage_offset()
        assert start % 64 == 0  # a GPU reads from there
        assert view.untyped_storage().data_ptr() == row.untyped_storage().data_ptr()
        # without gaps, and in the order in which a convolution reads: channels last
        in_memory = view.permute(0, 2, 3, 1) if view.dim() == 4 else view
        assert in_memory.flatten().tolist() == list(range(start, start + view.numel()))
        assert view.dim() != 4 or view.is_contiguous(memory_format=torch.channels_last)
        places += view.flatten().tolist()
    assert len(set(places)) == len(places) == sum(weight.numel() for weight in weights)
    assert count - len(places) < 64 * len(weights)  # what is set aside is no more than it takes

    for number, view in enumerate(views, 1):
        view.fill_(-number)
    for number, weight in enumerate(weights, 1):
        assert (row == -number).sum() == weight.numel()


# ---------------------------------------------------------------------- on a GPU


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("optimizer, lr", [("SGD", 0.02), ("AdamW", 0.001)])
def test_on_a_gpu_the_first_steps_are_those_of_train(optimizer, lr):
    """Convolutions there round to 10 bits of a number, and their sums have no fixed order."""
    data = some_data(train=30).to("cuda")
    setup = SETUP._replace(optimizer=optimizer)
    members = some_members(lr, 3)
    together = Together(data, setup, len(members), 3, streams=4)
    outcomes = together.train(members, epochs=1, seed=3)
    for outcome, one in zip(outcomes, alone(data, setup, members, epochs=1, seed=3), strict=True):
        assert (outcome.lr, outcome.momentum) == (one.lr, one.momentum)
        assert outcome.losses == pytest.approx(one.losses, rel=1e-2)
        assert outcome.cross_entropy == pytest.approx(one.cross_entropy, rel=1e-2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_a_recorded_step_is_the_right_one_for_all_steps_and_groups(float64):
    data = some_data().to("cuda")
    setup = SETUP._replace(precision=torch.float64)
    together = Together(data, setup, 6, 12, streams=4)
    for count, seed in [(6, 3), (2, 4), (6, 5)]:  # the last is made by the graph of the first
        members = some_members(0.02, 12)[:count]
        how = {"epochs": 2, "seed": seed, "along": True}
        outcomes = together.train(members, **how)
        for outcome, one in zip(outcomes, alone(data, setup, members, **how), strict=True):
            assert_same(outcome, one, 1e-7)
