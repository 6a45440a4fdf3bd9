"""The explorer: sliders that move a learning-rate curve and show what the curve buys.

`explore` reads its arguments, tries them on the real torch scheduler and returns an `Explorer`.
What it offers and draws stands in `model`. An `Explorer` shows itself in two ways: as live widgets
where there is a kernel (`live`), and as a page that needs none (`page`). Both know the model, and
the model knows neither.
"""

from lrcore.explorer import live, page
from lrcore.explorer.model import FORMULAS, MOMENTUM_FORMULAS, Model
from lrcore.tracing import LR, STEPS

__all__ = ["FORMULAS", "MOMENTUM_FORMULAS", "Explorer", "explore"]


def explore(
    scheduler,
    steps=STEPS,
    lr=LR,
    metrics=None,
    every=1,
    batch_size=1,
    formula=None,
    path=False,
    **controls,
):
    """Sliders for a learning-rate scheduler; reads like `ipywidgets.interact`.

    As for `interact`, a tuple is a range, a list or dict a menu, a boolean a check box, a widget
    itself; each starts at the scheduler's own default where that is on offer. A plain number or
    string is held fixed (`interact` would make a range that reaches below 0).

    Args:
        scheduler: called as `scheduler(optimizer, **values)`: a scheduler class, or a function
            that returns a scheduler.
        steps: optimizer steps; a control or a number.
        lr: the optimizer's own rate; a control or a number.
        metrics: what `ReduceLROnPlateau` watches, and no other scheduler: a function
            `metrics(t, ...)` of the step. Its parameters can be controls too.
        every: optimizer steps for each `scheduler.step()`; a control or a number.
        batch_size: examples in a batch of the toy optimizer; a control or a number. Its noise
            variance is divided by them, and a step costs as many of them.
        formula: the same curve in plain Python, for the page without a kernel: a function
            `formula(t, base_lr, ...)`. The schedulers in `FORMULAS` have theirs.
        path: whether one noisy run is shown too, from above: its way over two directions of the
            toy optimizer's bowl, and over contours of equal loss (`lrcore.toy.noisy_path`).
        **controls: the scheduler's parameters. One that has the name of another parameter of
            `explore` needs a function that calls it otherwise.

    Returns:
        An `Explorer`, which a notebook shows.

    Raises:
        TypeError: a parameter that nobody takes or that is missing, a control of an unknown kind,
            or a path that is neither True nor False.
        ValueError: values that the scheduler refuses, for which formula and torch disagree, or
            that no page can compute.
        Each names the parameter and the value.

    Example:
        >>> from torch.optim.lr_scheduler import StepLR
        >>> explore(StepLR, lr=(0.1, 1, 0.1), step_size=(5, 50, 5), gamma=0.5)
        <Explorer of StepLR>
    """
    own = {"lr": lr, "steps": steps, "every": every, "batch_size": batch_size}
    explorer = Explorer(scheduler, formula, metrics, {**own, **controls}, path)
    # now, because an error while it is shown would not stop the cell
    page.script(explorer)
    return explorer


class Explorer(Model):
    """A model that a notebook shows in both ways. Made by `explore`."""

    def __repr__(self):
        return f"<Explorer of {self.name}>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        # by hand, because ipywidgets 7 and 8 show widgets through different methods
        view = {
            "version_major": 2,
            "version_minor": 0,
            "model_id": live.show(self).model_id,
        }
        bundle = {
            "text/plain": repr(self),
            "application/vnd.jupyter.widget-view+json": view,
        }
        text = page.html(self)
        return bundle if text is None else {**bundle, "text/html": text}
