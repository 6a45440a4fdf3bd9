"""Public names say the same things in the same form, and what they show runs.

Public is what a module names in `__all__`, and what a chapter uses of lrcore.
"""

import ast
import doctest
import importlib
import inspect
import types

import nbformat
import pytest
from conftest import ROOT
from repository import is_set_up

import lrcore
import lrcore.cifar

SECTIONS = ("Args", "Returns", "Raises", "Source", "Example")


def imported(module, name):
    """What `from module import name` means."""
    try:
        return importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), name)


def used_in(path):
    """The functions and classes of lrcore that a notebook imports, or takes from a module."""
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code" and not is_set_up(cell)]
    tree = ast.parse("\n".join(code))
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "lrcore":
            for alias in node.names:
                names[alias.asname or alias.name] = imported(node.module, alias.name)
    modules = {k: found for k, found in names.items() if isinstance(found, types.ModuleType)}
    taken = [
        getattr(modules[node.value.id], node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in modules
    ]
    return [*names.values(), *taken]


def public():
    found = [getattr(module, name) for module in (lrcore, lrcore.cifar) for name in module.__all__]
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        found += used_in(path)
    own = [each for each in found if getattr(each, "__module__", "").startswith("lrcore")]
    return sorted(
        {each for each in own if inspect.isfunction(each) or inspect.isclass(each)},
        key=lambda each: (each.__module__, each.__name__),
    )


PUBLIC = public()


def sections(text):
    """{section: its lines} of a docstring; what stands before the first is ""."""
    found = {"": []}
    for line in text.splitlines():
        heading = line.removesuffix(":")
        if line.endswith(":") and heading in SECTIONS:
            found[heading] = []
        else:
            found[list(found)[-1]].append(line)
    return found


@pytest.mark.parametrize("each", PUBLIC, ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_a_public_name_says_what_it_takes_and_gives_and_shows_it(each):
    text = inspect.getdoc(each)
    found = sections(text)
    assert text.splitlines()[0].endswith("."), "the first line is a sentence: pages show it alone"
    order = [name for name in found if name]
    assert order == [name for name in SECTIONS if name in order]
    taken = [name for name in inspect.signature(each).parameters]
    named = [line.strip().split(":")[0].lstrip("*") for line in found.get("Args", [])
             if line.startswith("    ") and not line.startswith("     ")]  # fmt: skip
    assert named == taken
    assert "Returns" in found or inspect.isclass(each)
    assert any(line.strip().startswith(">>> ") for line in found["Example"])
    shown = dict(zip(order, (found[name] for name in order), strict=True))
    assert all(any(line.strip() for line in lines) for lines in shown.values())


MODULES = sorted({each.__module__ for each in PUBLIC})


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name, one_thread):
    from matplotlib import pyplot as plt

    failed, tried = doctest.testmod(importlib.import_module(name))
    plt.close("all")
    assert tried and not failed


def test_enough_is_public():
    names = {f"{each.__module__}.{each.__name__}" for each in PUBLIC}
    known = {"lrcore.tracing.trace", "lrcore.formulas.step_lr", "lrcore.cifar.plans.Plan"}
    known |= {"lrcore.explorer.explore", "lrcore.toy.simulate", "lrcore.cifar.training.train"}
    assert known <= names and len(names) > 50
