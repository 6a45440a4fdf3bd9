"""The explorer: sliders that move a learning-rate curve and show what the curve buys.

`explore` reads its arguments, tries them on the real torch scheduler and returns an `Explorer`.
What it offers and draws stands in `model`. An `Explorer` shows itself in two ways: as live widgets
where there is a kernel (`live`), and as a page that needs none (`page`). Both know the model, and
the model knows neither.
"""

from lrcore.explorer import live, page
from lrcore.explorer.model import FORMULAS, LR, MOMENTUM_FORMULAS, STEPS, Model

__all__ = ["FORMULAS", "MOMENTUM_FORMULAS", "Explorer", "explore"]


def explore(scheduler, lr=LR, steps=STEPS, formula=None, metric=None, **controls):
    """Sliders for a learning-rate scheduler; reads like `ipywidgets.interact`.

        explore(StepLR, lr=(0.1, 1, 0.1), step_size=(5, 50, 5), gamma=(0.1, 0.9, 0.1))

    `scheduler` is called as `scheduler(optimizer, **values)`: a scheduler class, or a function
    that returns a scheduler. `lr` is the optimizer's own rate, `steps` the number of optimizer
    steps, with one `scheduler.step()` after each. `controls` are the scheduler's parameters.
    As for `interact`, a tuple is a range, a list or dict a menu, a boolean a check box, a widget
    itself; each starts at the scheduler's own default where that is on offer. A plain number or
    string is held fixed (`interact` would make a range that reaches below 0).

    `formula(t, base_lr, ...)` gives the same curve in plain Python, for the page without a
    kernel; the schedulers in `FORMULAS` have theirs. `metric(t, ...)` makes the values that
    ReduceLROnPlateau watches, one per step; its parameters can be controls too.

    Raises TypeError for a parameter that nobody takes or that is missing, and for a control of
    an unknown kind; ValueError for values that the scheduler refuses, for which formula and
    torch disagree, or that no page can compute. Each names the parameter and the value.
    """
    explorer = Explorer(scheduler, formula, metric, {"lr": lr, "steps": steps, **controls})
    # now, because an error while it is shown would not stop the cell
    page.script(explorer)
    return explorer


class Explorer(Model):
    """A model that a notebook shows in both ways. Made by `explore`."""

    def _repr_mimebundle_(self, include=None, exclude=None):
        # by hand, because ipywidgets 7 and 8 show widgets through different methods
        view = {
            "version_major": 2,
            "version_minor": 0,
            "model_id": live.show(self).model_id,
        }
        bundle = {
            "text/plain": f"<Explorer of {self.name}>",
            "application/vnd.jupyter.widget-view+json": view,
        }
        text = page.html(self)
        return bundle if text is None else {**bundle, "text/html": text}
