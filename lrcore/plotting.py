"""The book's one matplotlib style, its curves, and the printing of a formula's own source."""

import base64
import io
import math
from contextlib import contextmanager

from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image

from lrcore.sources import code
from lrcore.toy import expected_losses

# Colours differ in lightness as well as hue, and lines in dash, so that no reader needs colour.
COLOURS = ("#1f5fbf", "#c2410c", "#0f766e", "#9333ea", "#737373")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (7, 2, 1, 2)), (0, (2, 2)))

STYLE = {
    "figure.dpi": 110,
    "figure.figsize": (7.2, 2.9),
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e5e5",
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "white",
}


def draw_curves(ax, curves, ylabel, log=False):
    """Draw {label: values} on a matplotlib axes, one value per optimizer step, from step 0 on."""
    for i, (label, values) in enumerate(curves.items()):
        style = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}
        ax.plot(drawable(values), label=label, **style)
    ax.set_xlabel("optimizer step")
    ax.set_ylabel(ylabel)
    if log:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        marks = (1, 2, 5) if high / low < 500 else (1,)
        ax.yaxis.set_major_locator(LogLocator(subs=marks))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())
    elif ylabel != "momentum":  # its small moves are far above 0
        ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))


def drawable(values):
    """The values without those of a loss that diverged: near 1e308 a log axis overflows."""
    return [y if y < 1e100 else math.nan for y in values]


@contextmanager
def book_style():
    """The book's style for the figures that are made within, and for no others."""
    # loads matplotlib's backend, whose settings would otherwise be lost with the style
    plt.draw_if_interactive()
    with rc_context(STYLE):
        yield


def plot_curves(curves, ylabel="learning rate", xlabel="optimizer step", log=False, ax=None):
    """Draw curves with one value per optimizer step, from step 0 on.

    A notebook shows the figure at the end of the cell, and the axes in words unless they are
    assigned; elsewhere call `matplotlib.pyplot.show()`.

    Args:
        curves: {label: list of values}. A legend names them, if there is more than one.
        ylabel: what the values are.
        xlabel: what there is one value for: a step, or an epoch.
        log: whether the vertical axis is logarithmic.
        ax: axes to draw into. None makes a new figure.

    Returns:
        The `matplotlib.axes.Axes` that hold the curves.

    Example:
        >>> ax = plot_curves({"slow": [0.5, 0.4, 0.3], "fast": [0.5, 0.1]}, xlabel="epoch")
        >>> [line.get_label() for line in ax.lines]
        ['slow', 'fast']
    """
    with book_style():
        new = ax is None
        if new:
            _, ax = plt.subplots()
        draw_curves(ax, curves, ylabel, log)
        ax.set_xlabel(xlabel)
        add_legend(ax, above=new)
    return ax


def plot_schedules(schedules, axes=None):
    """Draw learning rates on the left, and on the right what they do to the toy optimizer.

    A notebook shows the figure at the end of the cell, and the axes in words unless they are
    assigned; elsewhere call `matplotlib.pyplot.show()`.

    Args:
        schedules: {label: list of learning rates}, one rate per optimizer step.
        axes: two axes to draw into. None makes a new figure.

    Returns:
        The two `matplotlib.axes.Axes`: of the learning rates, and of the expected losses of
        `lrcore.toy`.

    Example:
        >>> rates, losses = plot_schedules({"constant": [0.5] * 20, "step": [0.5, 0.05] * 10})
        >>> losses.get_ylabel()
        'expected loss'
    """
    losses = {label: expected_losses(rates) for label, rates in schedules.items()}
    with book_style():
        new = axes is None
        left, right = plt.subplots(1, 2)[1] if new else axes
        draw_curves(left, schedules, "learning rate")
        draw_curves(right, losses, "expected loss", log=True)
        add_legend(left, above=new)
    return left, right


def add_legend(ax, above=True):
    """Name the curves of an axes, above its figure, where no curve runs, or inside of the axes.

    A single curve needs no name.
    """
    lines, labels = ax.get_legend_handles_labels()
    if len(labels) > 1 and above:
        columns = max(1, 80 // (max(len(label) for label in labels) + 8))
        ax.figure.legend(lines, labels, loc="outside upper center", ncols=columns)
    elif len(labels) > 1:
        ax.legend()


def panels_png(panels, curves, pinned=None):
    """A PNG of an explorer's panels side by side, a pinned curve dashed under the current one.

    `panels` is `Explorer.panels`; `curves` and `pinned` are what `Explorer.curves` returns.
    """
    with rc_context(STYLE):
        # no pyplot: it would keep every figure that a moving slider makes
        figure = Figure(figsize=(3.6 * len(panels), 2.9))
        for i, (name, label, log, low, high) in enumerate(panels):
            ax = figure.add_subplot(1, len(panels), i + 1)
            ax.axhline(low, alpha=0)  # the axis holds both limits, and the curves
            ax.axhline(high, alpha=0)
            if pinned:
                ax.plot(drawable(getattr(pinned, name)), color="#737373", linestyle="--")
            draw_curves(ax, {label: getattr(curves, name)}, label, log)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def embedded(png):
    """The picture as an address that HTML can hold, in 16 colours: a fifth of the bytes."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(16).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def thumbnail(rates, other=None, dash="--", alt=""):
    """An <img> element with a small picture of rates, from zero up, for the cell of a table.

    Args:
        rates: a list of learning rates.
        other: a list that is drawn over it on a scale of its own: the momentum, or a
            metric.
        dash: how `other` is drawn, in matplotlib's terms.
        alt: what the picture shows, in words.

    Returns:
        HTML, all in one line, so that Markdown can hold it.

    Example:
        >>> thumbnail([0.5, 0.25, 0.1], alt="It falls.")[:32]
        '<img src="data:image/png;base64,'
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(1.6, 0.9), dpi=180)
        ax = figure.add_subplot(ylim=(0, 1.08 * max(rates)))
        ax.plot(rates, color=COLOURS[0])
        if other:
            ax.twinx().plot(other, dash, color=COLOURS[1], linewidth=1.2)
        for axes in figure.axes:
            axes.set(xticks=[], yticks=[])
        png = io.BytesIO()
        figure.savefig(png)
    style = "min-width: 6rem; margin: 0"
    return f'<img src="{embedded(png.getvalue())}" alt="{alt}" width="144" style="{style}">'


def show_source(function):
    """Show the source of a function: the text on the page is the code that runs.

    Args:
        function: a function or a class.

    Returns:
        Its source as `IPython.display.Markdown`. Of its docstring the first line is left: a page
        says the rest in its own words, and `help(function)` prints it.

    Example:
        >>> from lrcore import formulas
        >>> print(show_source(formulas.step_lr).data.splitlines()[-2].strip())
        return base_lr * gamma ** (t // step_size)
    """
    return Markdown(f"```python\n{code(function)}```")
