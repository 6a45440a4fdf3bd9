"""The recall task, each label found again token by token, and the transformer that learns it."""

import pytest
import torch
from torch.nn import functional as F

from lrcore.cifar import recall
from lrcore.cifar.data import Data
from lrcore.cifar.recall import KEYS, LENGTH, PAIRS, TOKENS, VALUES, load, transformer

FINGERPRINT = "613a98cf8c20d7f33ba710bca2a0bbe9f4aec0403c44fd2db51ed93e2609fe02"
SETS = ("train", "validation", "test")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data():
    return load()


@pytest.fixture
def default_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def answer(sequence):
    """The value that stands behind the key that is asked for."""
    *pairs, question = sequence
    found = [pair % 10 for pair in pairs if pair // 10 == question - 200]
    assert len(found) == 1
    return found[0]


# ---------------------------------------------------------------------- the data


def test_sizes(data):
    assert isinstance(data, Data)
    assert data.name == "recall"
    for name, n in zip(SETS, (45_000, 5_000, 10_000), strict=True):
        inputs, labels = getattr(data, name)
        assert (inputs.shape, inputs.dtype) == ((n, 9), torch.uint8)
        assert (labels.shape, labels.dtype) == ((n,), torch.int64)


@pytest.mark.parametrize("name", SETS)
def test_every_label_is_the_value_of_the_key_that_is_asked_for(name, data):
    inputs, labels = getattr(data, name)
    assert labels.tolist() == [answer(sequence) for sequence in inputs.tolist()]


@pytest.mark.parametrize("name", SETS)
def test_tokens_are_pairs_of_different_keys_and_a_question(name, data):
    inputs = getattr(data, name).images.long()
    pairs, question = inputs[:, :PAIRS], inputs[:, PAIRS]
    assert 0 <= pairs.min() and pairs.max() < KEYS * VALUES == 200
    assert 200 <= question.min() and question.max() < TOKENS == 220
    in_order = (pairs // VALUES).sort(1).values
    assert (in_order[:, 1:] > in_order[:, :-1]).all()


@pytest.mark.parametrize("name", SETS)
def test_keys_values_and_the_place_of_the_answer_are_even(name, data):
    inputs, labels = getattr(data, name)
    n = len(labels)
    pairs, question = inputs[:, :PAIRS].long(), inputs[:, PAIRS].long()
    places = (pairs // VALUES == question[:, None] - KEYS * VALUES).nonzero()[:, 1]
    for drawn, choices in ((labels, VALUES), (question - 200, KEYS), (places, PAIRS)):
        share = drawn.bincount(minlength=choices) / n
        # five standard deviations of a share
        allowed = 5 * (1 / choices * (1 - 1 / choices) / n) ** 0.5
        torch.testing.assert_close(share, torch.full((choices,), 1 / choices), atol=allowed, rtol=0)


def test_no_sequence_is_there_twice(data):
    everything = [tuple(row) for name in SETS for row in getattr(data, name).images.tolist()]
    assert len(set(everything)) == len(everything) == 60_000


def test_the_data_are_always_the_same(data):
    again = load()
    assert again.fingerprint == data.fingerprint == FINGERPRINT
    for name in SETS:
        assert torch.equal(getattr(again, name).images, getattr(data, name).images)
        assert torch.equal(getattr(again, name).labels, getattr(data, name).labels)


def test_other_data_have_another_fingerprint(monkeypatch):
    monkeypatch.setattr(recall, "SIZES", (10, 10, 10))
    assert load().fingerprint != FINGERPRINT


# ---------------------------------------------------------------------- the network


def test_the_shape_of_the_scores(data):
    assert transformer()(data.test.images[:7]).shape == (7, 10)
    assert transformer(width=8, layers=1, heads=2)(data.test.images[:1]).shape == (1, 10)


@pytest.mark.parametrize("width, layers", [(48, 4), (8, 1)])
def test_the_number_of_parameters(width, layers):
    block = 12 * width**2 + 13 * width  # matrices, then biases and the normalisations
    expected = (TOKENS + LENGTH) * width + layers * block + (width + 1) * VALUES
    counted = sum(p.numel() for p in transformer(width, layers).parameters())
    assert counted == expected
    assert (width, layers, counted) in [(48, 4, 124_570), (8, 1, 2_794)]


def test_the_first_scores_against_a_plain_computation(data):
    torch.manual_seed(0)
    width, heads, tokens = 8, 2, data.test.images[:3]
    model = transformer(width, layers=2, heads=heads)
    scores = []
    for sequence in tokens.tolist():
        x = model.tokens.weight[sequence] + model.places
        for block in model.blocks:
            q, k, v = block.queries_keys_values(x).chunk(3, dim=1)
            columns = torch.arange(width).chunk(heads)
            attended = [
                (q[:, c] @ k[:, c].T / len(c) ** 0.5).softmax(dim=1) @ v[:, c] for c in columns
            ]
            x = block.norm1(x + block.mix(torch.cat(attended, dim=1)))
            x = block.norm2(x + block.mlp(x))
        scores.append(model.answer(x[-1]))
    torch.testing.assert_close(model(tokens), torch.stack(scores))


def test_a_gradient_reaches_every_parameter(data):
    torch.manual_seed(0)
    model = transformer(width=8, layers=2, heads=2)
    loss = F.cross_entropy(model(data.train.images[:500]), data.train.labels[:500])
    for gradient in torch.autograd.grad(loss, list(model.parameters())):
        assert gradient.isfinite().all() and gradient.any()


def test_it_computes_in_the_default_dtype(data, default_float64):
    model = transformer(width=8, layers=1, heads=2)
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    assert model(data.test.images[:2]).dtype == torch.float64


def test_it_trains_in_half_precision(data):
    model = transformer(width=8, layers=1, heads=2)
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(model(data.train.images[:50]), data.train.labels[:50])
    loss.backward()
    for parameter in model.parameters():
        assert parameter.grad.dtype == torch.float32 and parameter.grad.isfinite().all()


def test_training_and_judging_give_the_same_scores(data):
    model = transformer()
    trained = model(data.test.images[:5])
    assert torch.equal(trained, model.eval()(data.test.images[:5]))


def test_it_learns(data):
    """A few sequences by heart: what a network that is put together wrongly could not."""
    torch.manual_seed(0)
    inputs, labels = data.train.images[:50], data.train.labels[:50]
    model = transformer(width=16, layers=2, heads=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    for _ in range(100):
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    assert (model(inputs).argmax(1) == labels).all()
