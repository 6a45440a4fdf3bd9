"""lrcore: the package behind the chapters of the learning-rate scheduler book.

Read it in this order: `formulas` (what each schedule is), `toy` (the model it is tried on),
`tracing` (what torch really does), `schedulers` (what torch lacks), `plotting`, `explorer`
(the sliders) and `checks` (the exercises).
"""

from importlib import import_module

from lrcore import formulas, toy
from lrcore.checks import check
from lrcore.schedulers import WarmupRestarts
from lrcore.tracing import trace

__version__ = "0.1.0"

__all__ = [
    "WarmupRestarts",
    "check",
    "explore",
    "formulas",
    "plot_curves",
    "plot_schedules",
    "plotting",
    "show_source",
    "toy",
    "trace",
]

# Loaded when they are first asked for: they need matplotlib and widgets, and a machine in a
# cluster that only trains (lrcore.cifar) may have neither.
HOMES = {
    "explore": "lrcore.explorer",
    "plot_curves": "lrcore.plotting",
    "plot_schedules": "lrcore.plotting",
    "show_source": "lrcore.plotting",
}


def __getattr__(name):
    if name == "plotting":
        return import_module("lrcore.plotting")
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'lrcore' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
