"""lrcore: the package behind the chapters of the learning-rate scheduler book.

Read it in this order: `formulas` (what each schedule is), `toy` (the model it is tried on),
`tracing` (what torch really does), `schedulers` (what torch lacks), `plotting`, `explorer`
(the sliders) and `checks` (the exercises).
"""

from lrcore import formulas, plotting, toy
from lrcore.checks import check
from lrcore.explorer import explore
from lrcore.plotting import plot_curves, plot_schedules, show_source
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
