"""The recorded rates of other libraries are the book's, or differ from them as is said here.

`make libraries` recorded them; nothing here runs those libraries. PyTorch's calls are run again.
"""

import re
from math import cos, pi

import nbformat
import pytest
import torch
from conftest import ROOT
from torch.optim import lr_scheduler

from lrcore import libraries
from lrcore.tracing import trace_steps

NO_FIRST_STEP = "other at steps 0 to 3"  # transformers warm up from 0

# What is no difference is not here. (family, library, variant): what `against` says.
DIFFERENT = {
    ("constant", "PyTorch", "defaults"): "other at steps 0 to 4",
    ("constant with warm-up", "transformers", ""): NO_FIRST_STEP,
    ("step", "timm", "defaults"): "other from step 20 on",
    ("step", "timm", "warm-up"):
        "other at steps 0 to 3 and at steps 20 to 23 and at steps 40 to 43",
    ("step", "timm", "factory"): "other at steps 0 to 3",
    ("multi-step", "timm", ""): "one step early",
    ("multi-step", "Keras", ""): "one step late",
    ("polynomial", "transformers", ""): "other from step 1 on",
    ("polynomial", "timm", "defaults"): "other at steps 1 to 39",
    ("polynomial", "Keras", ""): "other from step 1 on",
    ("linear with warm-up", "transformers", ""): NO_FIRST_STEP,
    ("cosine", "timm", ""): "other from step 41 on",
    ("cosine", "Optax", ""): "other from step 41 on",
    ("cosine", "Keras", ""): "other from step 41 on",
    ("cosine with a floor", "timm", ""): "other from step 41 on",
    ("cosine with a floor", "Optax", ""): "other from step 41 on",
    ("cosine with a floor", "Keras", ""): "other from step 41 on",
    ("cosine with a floor", "Keras", "alpha=0.01"): "other from step 1 on",
    ("cosine with warm-up", "PyTorch", ""): "other from step 45 on",
    ("cosine with warm-up", "transformers", ""): NO_FIRST_STEP + " and from step 45 on",
    ("cosine with warm-up", "transformers", "by name"): NO_FIRST_STEP + " and from step 45 on",
    ("cosine with warm-up", "transformers", "plus 1"): "other from step 45 on",
    ("cosine with warm-up", "timm", "no prefix"): "other at steps 4 to 43",
    ("cosine with warm-up", "timm", "long warm-up"): "other at steps 1 to 43",
    ("cosine with warm-up", "Keras", "decay_steps=44"): "other at steps 5 to 47",
    ("hard restarts", "transformers", ""): "other from step 40 on",
    ("hard restarts", "transformers", "waves"):
        "other at steps 1 to 19 and at steps 21 to 39 and from step 41 on",
    ("hard restarts", "timm", ""): "other from step 40 on",
    ("hard restarts", "timm", "defaults"): "other from step 20 on",
    ("hard restarts", "Optax", ""): "other from step 40 on",
    ("hard restarts", "Keras", "defaults"): "other from step 21 on",
    ("restarts with warm-up and lower peaks", "timm", ""): "other from step 4 on",
    ("one cycle", "PyTorch", "same numbers"): "other from step 1 on",
    ("one cycle", "Optax", ""): "other at step 41",
    ("one cycle, three lines", "Optax", ""): "other at step 41",
    ("one cycle, three lines", "Optax", "defaults"): "other at steps 13 to 39 and at step 41",
    ("inverse square root", "transformers", ""): "one step late, after a step with 0",
    ("inverse square root", "timm", "defaults"): "one step late, after a step with 0",
    ("WSD, cosine", "PyTorch", ""): "other from step 45 on",
    ("WSD, cosine", "transformers", "defaults"): NO_FIRST_STEP,
    ("WSD", "transformers", ""): NO_FIRST_STEP,
    ("WSD", "transformers", "defaults"): NO_FIRST_STEP + " and at steps 35 to 43",
    ("WSD, linear", "transformers", ""): NO_FIRST_STEP,
    ("plateau", "timm", "defaults"): "other from step 5 on",
    ("plateau", "Optax", ""): "other at step 13 and at steps 16 to 17 and from step 19 on",
    ("plateau", "Optax", "in a chain"): "one step early",
    ("plateau", "Keras", ""): "other at step 13 and at steps 16 to 17 and from step 19 on",
    ("plateau with a cooldown", "Keras", ""):
        "other at step 19 and at steps 24 to 25 and at steps 29 to 31 and at steps 34 to 37 "
        "and from step 39 on",
    ("plateau of small numbers", "Keras", ""): "other from step 5 on",
    ("once a step", "timm", "step"): "other from step 1 on",
    ("every third step", "Lightning", ""): "other at step 6 and at steps 9 to 10",
}  # fmt: skip

ROWS = [(family, row) for family in libraries.families() for row in libraries.rows(family)]


def key(family, row):
    return family, row.library, row.variant


@pytest.mark.parametrize(("family", "row"), ROWS, ids=lambda part: getattr(part, "call", part))
def test_a_call_is_to_the_book_what_is_said_here(family, row):
    """`equal` allows 1e-9 of the highest rate, and 1e-6 where a library has single precision."""
    found = {key(family, other): text for other, text in libraries.compared(family)}
    assert found[key(family, row)] == DIFFERENT.get(key(family, row), "equal")
    # torch's OneCycleLR raises after its end, and a fit of Lightning or Keras is short
    assert len(row.rates) in (60, 12) or "OneCycleLR" in row.call


def test_every_difference_is_of_a_call():
    keys = [key(*entry) for entry in ROWS]
    assert len(set(keys)) == len(keys)
    assert DIFFERENT.keys() <= set(keys)


@pytest.mark.parametrize(
    ("family", "row"),
    [entry for entry in ROWS if entry[1].library == "PyTorch"],
    ids=lambda part: getattr(part, "call", part),
)
def test_the_calls_of_pytorch_give_the_recorded_rates_again(family, row):
    def build(optimizer):
        return eval(row.call, vars(lr_scheduler) | {"optimizer": optimizer})

    steps = len(row.rates)
    made = trace_steps(build, steps, 0.1, libraries.metrics(family), 1, {})
    assert [next(made)[0] for _ in range(steps)] == row.rates


def test_what_transformers_builds_is_a_lambda_of_pytorch():
    """The rates of its cosine are, bit by bit, those of a LambdaLR with the same function."""
    [row] = [r for r in libraries.rows("cosine") if r.library == "transformers"]

    def build(optimizer):
        return lr_scheduler.LambdaLR(optimizer, lambda t: 0.5 * (1.0 + cos(pi * (t / 40))))

    made = [rate for rate, _ in trace_steps(build, 60, 0.1, None, 1, {})]
    assert made == row.rates


def test_the_versions_are_those_of_the_environment():
    pins = (ROOT / "tools" / "libraries-requirements.txt").read_text()
    pinned = dict(re.findall(r"^([a-z]+)==(\S+)$", pins, re.M))
    for library, version in libraries.versions().items():
        assert pinned.get(library.lower(), torch.__version__.partition("+")[0]) == version


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ([0.4, 0.3, 0.2, 0.1], "equal"),
        ([0.4, 0.3], "equal"),
        ([0.4, 0.3, 0.2, float("nan")], "other at step 3"),
        ([0.3, 0.2, 0.1], "one step early"),
        ([0.4, 0.4, 0.3, 0.2], "one step late"),
        ([0.0, 0.4, 0.3, 0.2], "one step late, after a step with 0"),
        ([0.4, 0.0, 0.0, 0.1], "other at steps 1 to 2"),
        ([0.4, 0.0, 0.0, 0.0], "other from step 1 on"),
        ([0.0, 0.3, 0.2, 0.0], "other at step 0 and at step 3"),
        ([0.0, 0.0, 0.0, 0.0], "other at every step"),
        ([0.4, 0.3, 0.2, 0.1 + 4.1e-10], "other at step 3"),
    ],
)
def test_against_says_which_steps_are_others(rates, said):
    assert libraries.against(rates, [0.4, 0.3, 0.2, 0.1]) == said


def test_an_unknown_family_is_named():
    with pytest.raises(ValueError, match="family='stairs': allowed is one of constant, "):
        libraries.rows("stairs")


def test_the_page_names_what_no_table_has():
    calls = " ".join(row.call for _, row in ROWS)
    missing = {
        name
        for library, names in libraries.names().items()
        for name in names
        if library != "transformers" and not re.search(rf"\b{re.escape(name)}\(", calls)
    }
    notebook = nbformat.read(ROOT / "chapters" / "libraries.ipynb", as_version=4)
    [text] = [c.source for c in notebook.cells if c.source.startswith("Without a table are ")]
    said = set(re.findall(r"`([^`]+)`", text.partition("\n")[0]))
    assert said == missing | {"greedy"}  # transformers' names are not those of its functions


def test_the_page_shows_every_call_with_what_is_said_here():
    notebook = nbformat.read(ROOT / "chapters" / "libraries.ipynb", as_version=4)
    shown = [
        output.get("data", {}).get("text/markdown", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    line = re.compile(r"^\| ([^|]+) \| `([^`]+)`<br>([^|]+) \|$", re.M)
    lines = [cells for text in shown for cells in line.findall(text)]
    wanted = []
    for family, row in ROWS:
        name = f"{row.library}, {row.variant}" if row.variant else row.library
        text = DIFFERENT.get(key(family, row), "equal")
        wanted.append((name, row.call, text))
    assert sorted(lines) == sorted(wanted)
