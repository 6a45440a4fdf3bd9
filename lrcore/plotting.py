"""The book's one matplotlib style, its curves, and the printing of a formula's own source."""

import base64
import io
import math
from contextlib import contextmanager
from itertools import takewhile

from IPython.core.pylabtools import retina_figure
from IPython.display import Markdown, display
from matplotlib import pyplot as plt
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image

from lrcore.sources import code
from lrcore.toy import PATH_CURVATURES, expected_losses

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
    "grid.color": "#d4d4d4",
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


class SharpFigure(Figure):
    """A figure that a notebook shows at its size, with two pixels of its own for one of the page.

    So it is sharp on the screens of phones and most laptops, and 256 colours keep it as light as it
    was. Readers' own figures stay as they are: a setting of the notebook would change them too.
    """

    def _ipython_display_(self):
        png, size = retina_figure(self)
        png = base64.b64encode(in_few_colours(png, 256)).decode()
        data = {"image/png": png, "text/plain": repr(self)}
        display(data, metadata={"image/png": size}, raw=True)


def new_figure(*grid, **options):
    """A figure of the book and its axes; the arguments are those of `plt.subplots`."""
    return plt.subplots(*grid, FigureClass=SharpFigure, **options)


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
            _, ax = new_figure()
        draw_curves(ax, curves, ylabel, log)
        ax.set_xlabel(xlabel)
        add_legend(ax, above=new)
    return ax


def plot_loglog(lines, xlabel, ylabel):
    """Draw lines over two logarithmic axes.

    A notebook shows the figure at the end of the cell, and the axes in words unless they are
    assigned; elsewhere call `matplotlib.pyplot.show()`.

    Args:
        lines: {label: (list of x, list of y)}. A legend names them.
        xlabel: what the x are.
        ylabel: what the y are.

    Returns:
        The `matplotlib.axes.Axes` that hold the lines.

    Example:
        >>> ax = plot_loglog({"halves": ([1, 2, 4], [8, 4, 2])}, "batch size", "steps")
        >>> ax.get_xscale(), ax.get_yscale()
        ('log', 'log')
    """
    with book_style():
        _, ax = new_figure()
        for (label, (x, y)), colour, dash in zip(lines.items(), COLOURS, DASHES, strict=False):
            ax.loglog(x, y, label=label, color=colour, linestyle=dash)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter("")
        ax.set(xlabel=xlabel, ylabel=ylabel)
        ax.legend()
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
        left, right = new_figure(1, 2)[1] if new else axes
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
        widths = [len(label) + 8 for label in labels]  # in letters, with the line before a name
        columns = len(labels) if sum(widths) <= 90 else max(1, 80 // max(widths))
        ax.figure.legend(lines, labels, loc="outside upper center", ncols=columns)
    elif len(labels) > 1:
        ax.legend()


def panels_png(panels, curves, pinned=None, step=None):
    """A PNG of an explorer's panels side by side, a pinned curve dashed under the current one.

    `panels` is `Explorer.panels`; `curves` and `pinned` are what `Explorer.curves` returns. Their
    path, if they have one, is strong up to `step`, or all of it.
    """
    count = len(panels) + bool(curves.path)
    with rc_context(STYLE):
        # no pyplot: it would keep every figure that a moving slider makes
        figure = Figure(figsize=(3.6 * count, 2.9))
        for i, (name, label, log, low, high) in enumerate(panels):
            ax = figure.add_subplot(1, count, i + 1)
            ax.axhline(low, alpha=0)  # the axis holds both limits, and the curves
            ax.axhline(high, alpha=0)
            if pinned:
                ax.plot(drawable(getattr(pinned, name)), color="#737373", linestyle="--")
            draw_curves(ax, {label: getattr(curves, name)}, label, log)
        if curves.path:
            ax = figure.add_subplot(1, count, count)
            draw_path(ax, curves.path, pinned.path if pinned else None, step)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


# The panel of a path, here and in the page: what it shows of both directions, which is all of a
# run with rates up to 1, and where its contours, ellipses of equal loss, cross the steep direction.
PATH_WINDOW = (-0.9, 1.1)
PATH_CONTOURS = (0.25, 0.5, 0.75, 1.0)


def path_contours():
    """Of each contour the semi-axes [in the steep direction, in the flat direction]."""
    steep, flat = PATH_CURVATURES
    return [[a, a * math.sqrt(steep / flat)] for a in PATH_CONTOURS]


def draw_path(ax, path, pinned=None, step=None):
    """Draw one run from above (see `lrcore.toy.noisy_path`), strong up to a step, or all of it."""
    for steep, flat in path_contours():
        contour = Ellipse((0, 0), 2 * flat, 2 * steep, fill=False, edgecolor="#d4d4d4")
        ax.add_patch(contour)
    if pinned:
        ax.plot(*seen_from_above(pinned), "--", color="#737373", linewidth=1.2)
    xs, ys = seen_from_above(path)
    last = len(xs) - 1 if step is None else min(step, len(xs) - 1)
    style = {"color": COLOURS[0], "marker": ".", "markersize": 4, "linewidth": 1.2}
    ax.plot(xs[last:], ys[last:], alpha=0.35, **style)
    ax.plot(xs[: last + 1], ys[: last + 1], **style)
    ax.plot(0, 0, "P", color="black", markeredgecolor="white", markersize=9)
    ax.plot(xs[last], ys[last], "o", color=COLOURS[0], markeredgecolor="white", markersize=8)
    ax.grid(False)
    ax.set(xlabel="flat direction", ylabel="steep direction", xlim=PATH_WINDOW, ylim=PATH_WINDOW)
    ax.set(xticks=(-0.5, 0, 0.5, 1), yticks=(-0.5, 0, 0.5, 1))


def seen_from_above(path):
    """The path's xs and ys, in the flat and in the steep direction, up to where it diverges."""
    near = list(takewhile(lambda place: all(abs(w) < 1e6 for w in place), path))
    return [flat for _, flat in near], [steep for steep, _ in near]


def in_few_colours(png, count):
    """The picture in so many colours: with 256 a third of the bytes, with 16 a fifth."""
    buffer = io.BytesIO()
    few = Image.open(io.BytesIO(png)).convert("RGB").quantize(count)
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def embedded(png):
    """The picture as an address that HTML can hold."""
    return "data:image/png;base64," + base64.b64encode(in_few_colours(png, 16)).decode()


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
