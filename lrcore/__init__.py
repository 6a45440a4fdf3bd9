"""lrcore: the package behind the chapters of the learning-rate scheduler book.

Read it in this order: `formulas` (what each schedule is), `toy` (the model it is tried on),
`tracing` (what torch really does), `schedulers` (what torch lacks), `plotting`, `explorer`
(the sliders) and `checks` (the exercises).
"""

from importlib import import_module

from lrcore import formulas, toy
from lrcore.checks import check

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

# Loaded when they are first asked for: they need torch, matplotlib and widgets, which take seconds;
# and a machine in a cluster that only trains (lrcore.cifar) may lack some of them.
HOMES = {
    "WarmupRestarts": "lrcore.schedulers",
    "explore": "lrcore.explorer",
    "plot_curves": "lrcore.plotting",
    "plot_schedules": "lrcore.plotting",
    "show_source": "lrcore.plotting",
    "trace": "lrcore.tracing",
}


def __getattr__(name):
    if name == "plotting":
        return import_module("lrcore.plotting")
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'lrcore' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
