"""Associative recall: a made task on sequences, and a small transformer that learns it.

Eight keys stand in a row, each with a value, and then one of the keys again: which value belongs
to it? The keys and values are others in each sequence, so nothing can be learned by heart; the
network must find out how to compare and to copy. A person sees

    c7 k0 a3 r7 f1 b9 m4 p2  m  ->  4

Source: Ba, Hinton, Mnih, Leibo and Ionescu, "Using Fast Weights to Attend to the Recent Past",
2016. There the letters and digits come one by one; here a key and its value are one token.
"""

import hashlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lrcore.cifar.data import Data, Images

KEYS = 20
VALUES = 10  # the classes
PAIRS = 8  # in a sequence
LENGTH = PAIRS + 1  # tokens of a sequence: the pairs, the question
TOKENS = KEYS * VALUES + KEYS  # one for each pair, one for each question
SIZES = (45_000, 5_000, 10_000)  # sequences for training, validation, test


def load():
    """Return the sequences as `Data`: 45,000 for training, 5,000 for validation, 10,000 for tests.

    The inputs are uint8 of shape (N, 9), the labels int64 of shape (N,). Token 10 k + v is key k
    with value v, token 200 + k asks for key k. Each key stands at most once in a sequence. No
    sequence is there twice. The data are made, in a second, and always the same.
    """
    random = np.random.RandomState(0)  # its numbers are the same in every version of NumPy
    n = sum(SIZES)
    # a random order of all keys for each sequence (stable: the same everywhere), and its start
    keys = random.random_sample((n, KEYS)).argsort(axis=1, kind="stable")[:, :PAIRS]
    values = random.randint(VALUES, size=(n, PAIRS), dtype=np.int64)
    asked = random.randint(PAIRS, size=n, dtype=np.int64)
    row = np.arange(n)
    question = KEYS * VALUES + keys[row, asked]
    tokens = np.column_stack([VALUES * keys + values, question]).astype(np.uint8)
    labels = values[row, asked].astype(np.int64)

    fingerprint = hashlib.sha256(tokens.tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()
    inputs, labels = torch.from_numpy(tokens).split(SIZES), torch.from_numpy(labels).split(SIZES)
    return Data("recall", fingerprint, *map(Images, inputs, labels))


class Block(nn.Module):
    """Attention, then two linear layers, each added to its input and then normalised.

    To normalise after the addition (post-LN) is what the first transformer does: Vaswani et al.,
    "Attention Is All You Need", 2017. Why that needs a warm-up: Xiong et al., "On Layer
    Normalization in the Transformer Architecture", 2020. Takes and gives (N, length, width).
    """

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x):
        parts = self.queries_keys_values(x).unflatten(2, (3, self.heads, -1))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # each (N, heads, length, width/heads)
        attended = F.scaled_dot_product_attention(queries, keys, values)
        x = self.norm1(x + self.mix(attended.transpose(1, 2).flatten(2)))
        return self.norm2(x + self.mlp(x))


class Transformer(nn.Module):
    """Takes tokens, uint8 (N, 9), and gives the scores of the values (N, 10)."""

    def __init__(self, width, layers, heads):
        super().__init__()
        self.tokens = nn.Embedding(TOKENS, width)
        self.places = nn.Parameter(torch.randn(LENGTH, width))
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.answer = nn.Linear(width, VALUES)

    def forward(self, tokens):
        x = self.blocks(self.tokens(tokens.int()) + self.places)
        return self.answer(x[:, -1])  # read where the question stands


def transformer(width=48, layers=4, heads=4):
    """A fresh `Transformer`; with these sizes it has 124,570 parameters."""
    return Transformer(width, layers, heads)
