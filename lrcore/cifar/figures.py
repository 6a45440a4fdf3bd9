"""The figures of the comparison, drawn from recorded rows; most show the rate curves beside.

`table` is what `results.rows` returns. `primary` is the (scheduler, budget) of a plan: a star
marks that scheduler, where its budget is shown.
"""

import math
from itertools import product

from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from lrcore.cifar import analysis
from lrcore.cifar.analysis import by_scheduler, longest, runs_of
from lrcore.cifar.entries import HORIZON
from lrcore.plotting import COLOURS, DASHES, add_legend, book_style, new_figure

GREY = "#737373"
SMALL = 8  # points: no words of a figure are smaller
STAR = "\N{BLACK STAR}"
BEHIND = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0}  # of words
VERDICTS = {"higher": (COLOURS[2], ">"), "lower": (COLOURS[1], "<"), "undecided": (GREY, "o")}
BELOW_BEST = 15  # points: what is at least so far below the best mean may be drawn at the edge
MARKERS = "osD^v"
TIMES = {0.25: "best rate / 4", 0.5: "best rate / 2", 2: "best rate × 2", 4: "best rate × 4"}
# Where a name may stand beside its dot, and how it is aligned there: the first free place is taken,
# and from the second distance on a line leads to it.
SIDES = {
    (1, 0): ("left", "center"),
    (-1, 0): ("right", "center"),
    (1, 1): ("left", "bottom"),
    (-1, -1): ("right", "top"),
    (1, -1): ("left", "top"),
    (-1, 1): ("right", "bottom"),
    (0, 1): ("center", "bottom"),
    (0, -1): ("center", "top"),
}
DISTANCES = (5, 14, 24, 34)  # points


def plot_seeds(table, experiment, epochs, primary=None):
    """Draw every run as a dot, every scheduler as a row, the best mean on top.

    A bar is the 95 % interval of a mean. Diverged runs are a cross at the left edge, beside their
    number and the mean with them, which may lie beyond that edge.

    A notebook shows the figure at the end of the cell; elsewhere call
    `matplotlib.pyplot.show()`.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        experiment: "defaults" or "fair".
        epochs: the budget, in epochs.
        primary: the (scheduler, budget in epochs) of the plan. A star marks that scheduler, where
            its budget is shown. None marks none.

    Returns:
        The two `matplotlib.axes.Axes`: of the rate curves, and of the accuracies.

    Raises:
        ValueError: there are no runs of that experiment.

    Example:
        >>> from lrcore.cifar import results
        >>> rates, accuracies = plot_seeds(results.rows("adamw"), "fair", 8)
        >>> accuracies.get_xlabel()
        'test accuracy, %'
    """
    lines = by_scheduler(table, experiment)
    lines = lines[lines.epochs == epochs]
    runs = runs_of(table, experiment, epochs)
    with book_style():
        figure, (left, right) = strips(lines.scheduler, runs, marked=marked(primary, epochs))
        for place, line in enumerate(lines.itertuples()):
            own = runs[(runs.scheduler == line.scheduler) & ~runs.diverged]
            right.plot(own.accuracy, [place] * len(own), "o", color=COLOURS[0], alpha=0.3, ms=5)
            right.plot([line.low, line.high], [place, place], color=COLOURS[1], linewidth=1.3)
            right.plot(line.accuracy, place, "|", color=COLOURS[1], markersize=13, mew=2)
        if runs.diverged.any():
            mark_diverged(right, lines, runs[~runs.diverged].accuracy)
        right.set_xlabel(f"{runs.judged_on.iloc[0]} accuracy, %")
    return left, right


def mark_diverged(ax, lines, finished):
    """Cut the axis to the runs that finished, and mark at its edge those that did not."""
    low, high = min(finished, default=0), max(finished, default=100)
    edge = low - 0.35 * max(1, high - low)  # room for the words
    for place, line in enumerate(lines.itertuples()):
        if line.diverged:
            ax.plot(edge, place, "x", color=COLOURS[1], clip_on=False)
            words = f"{line.diverged} of {line.seeds} diverged, mean {line.accuracy:.1f}"
            beside = {"xytext": (6, 0), "textcoords": "offset points"}
            ax.annotate(words, (edge, place), fontsize=SMALL, va="center", bbox=BEHIND, **beside)
    ax.set_xlim(edge, high + 0.05 * max(1, high - low))


def plot_differences(comparison, table, epochs, primary=None):
    """Draw the paired differences from cosine with their intervals; what is decided is coloured.

    The thick bar is the 95 % interval of one comparison, the thin one that of all at once.

    A notebook shows the figure at the end of the cell; elsewhere call
    `matplotlib.pyplot.show()`.

    Args:
        comparison: what `analysis.against_cosine(table, epochs)` returns.
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.
        primary: the (scheduler, budget in epochs) of the plan. A star marks that scheduler, where
            its budget is shown. None marks none.

    Returns:
        The two `matplotlib.axes.Axes`: of the rate curves, and of the differences.

    Example:
        >>> from lrcore.cifar import analysis, results
        >>> table = results.rows("adamw")
        >>> rates, differences = plot_differences(analysis.against_cosine(table, 8), table, 8)
        >>> differences.get_xlabel()
        'accuracy minus that of cosine, points'
    """
    with book_style():
        runs = runs_of(table, "fair", epochs)
        figure, (left, right) = strips(comparison.scheduler, runs, marked=marked(primary, epochs))
        right.axvline(0, color=COLOURS[0])
        for place, line in enumerate(comparison.itertuples()):
            colour, mark = VERDICTS[line.verdict]
            right.plot([line.low_all, line.high_all], [place, place], color=colour, linewidth=0.9)
            right.plot([line.low, line.high], [place, place], color=colour, lw=4, alpha=0.4)
            right.plot(line.difference, place, mark, color=colour, markersize=6)
        for verdict, (colour, mark) in VERDICTS.items():
            right.plot([], [], mark, color=colour, label=verdict)
        add_legend(right)
        right.set_xlabel("accuracy minus that of cosine, points")
    return left, right


def marked(primary, epochs):
    """The scheduler that gets a star in a figure of that budget, or None."""
    return primary[0] if primary and primary[1] == epochs else None


def strips(schedulers, runs, panels=1, marked=None):
    """A figure with a row for each scheduler: its rate curve on the left, then `panels` axes."""
    height = 0.9 + 0.26 * len(schedulers)
    widths = [1, *[3 / panels] * panels]
    figure, axes = new_figure(
        1,
        1 + panels,
        sharey=True,
        figsize=(7.2, height),
        width_ratios=widths,
        gridspec_kw={"wspace": 0.02},
    )
    for place, scheduler in enumerate(schedulers):
        rates = runs[runs.scheduler == scheduler].lr.iloc[0]
        times = [i / len(rates) for i in range(len(rates))]
        curve = [place + 0.35 - 0.7 * rate / max(rates) for rate in rates]
        axes[0].plot(times, curve, color=COLOURS[0], linewidth=1.4)
        axes[0].fill_between(times, curve, place + 0.35, color=COLOURS[0], alpha=0.12, linewidth=0)
    names = [f"{STAR} {name}" if name == marked else name for name in schedulers]
    axes[0].set(yticks=range(len(names)), yticklabels=names, xticks=[])
    axes[0].set_xlabel("rate over the run", fontsize=9)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    if marked in list(schedulers):
        fixed = f"{STAR} the comparison with cosine that the plan fixed"
        axes[-1].set_title(fixed, fontsize=SMALL)
    for ax in axes:
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    return figure, axes


def plot_budgets(table, shown):
    """Draw mean accuracy against the budget: some schedulers by name, all others in grey.

    A bar is the 95 % interval of the mean; the bars of one budget stand a little apart. A diverged
    run counts as guessing.

    A notebook shows the figure at the end of the cell; elsewhere call
    `matplotlib.pyplot.show()`.

    Args:
        table: the rows of one plan, as `results.rows` returns them. Its fair runs are drawn.
        shown: the names of the schedulers to show by name, five at most.

    Returns:
        The two `matplotlib.axes.Axes`: of the rate curves, and of the accuracies.

    Raises:
        ValueError: there are no fair runs.

    Example:
        >>> from lrcore.cifar import results
        >>> rates, accuracies = plot_budgets(results.rows("adamw"), ["constant", "linear_lr"])
        >>> accuracies.get_xlabel()
        'budget, epochs'
    """
    lines = by_scheduler(table)
    with book_style():
        figure, (left, right) = new_figure(1, 2, width_ratios=[1, 2])
        for scheduler, means in lines.groupby("scheduler"):
            if scheduler not in shown:
                right.plot(means.epochs, means.accuracy, ".-", color="#b8b8b8", linewidth=1)
        for i, scheduler in enumerate(shown):
            style = {"color": COLOURS[i], "linestyle": DASHES[i]}
            means = lines[lines.scheduler == scheduler]
            places = means.epochs * 1.02 ** (i - (len(shown) - 1) / 2)
            right.plot(places, means.accuracy, marker=MARKERS[i], label=scheduler, **style)
            right.vlines(places, means.low, means.high, color=COLOURS[i], linewidth=1.2)
            rates = runs_of(table, "fair", max(means.epochs), scheduler).lr.iloc[0]
            left.plot([rate / max(rates) for rate in rates], **style)
        left.set(xticks=[], xlabel="over the run", ylabel="rate / highest rate")
        budgets = sorted(lines.epochs.unique())
        right.set_xscale("log", base=2)
        right.set(xticks=budgets, xticklabels=budgets)
        right.set(xlabel="budget, epochs", ylabel="accuracy, %")
        right.minorticks_off()
        right.set_xlim(budgets[0] / 1.2, budgets[-1] * 1.2)
        add_legend(right)
    return left, right


def plot_peak_rates(table):
    """Draw validation accuracy against the peak rate: a panel a scheduler, a line a budget.

    The ring marks the best rate, which the fair runs took. A mean far below the best of its budget
    is a triangle at the lower edge; a diverged run counts as guessing. The small curve is the rate
    over the run.

    A notebook shows the figure at the end of the cell; elsewhere call
    `matplotlib.pyplot.show()`.

    Args:
        table: the rows of one plan, as `results.rows` returns them. Its tuning runs are drawn.

    Returns:
        A list of `matplotlib.axes.Axes`, one for each scheduler.

    Example:
        >>> from lrcore.cifar import results
        >>> panels = plot_peak_rates(results.rows("transformer"))
        >>> [ax.get_title() for ax in panels][:3]
        ['constant', 'cosine_annealing_lr', 'linear_lr']
    """
    tuning = runs_of(table, "tuning")
    schedulers = list(tuning.scheduler.unique())
    with book_style():
        figure, panels = grid_of_panels(len(schedulers))
        for ax, scheduler in zip(panels, schedulers, strict=True):
            draw_peak_rates(ax, tuning, scheduler)
            ax.set_title(scheduler.replace("cosine_annealing_warm", "cosine_warm"), fontsize=SMALL)
        low, high = panels[0].get_ylim()
        panels[0].set_ylim(low - 0.35 * (high - low))  # room for the small curves
        figure.supxlabel("peak rate", fontsize=9)
        figure.supylabel("validation accuracy, %", fontsize=9)
        add_legend(panels[0])
    return panels


def grid_of_panels(number):
    """A figure and its `number` panels; what the rows have too many is left out at the top right.

    So every column ends in a panel that has the rates below it.
    """
    columns = 5 if number > 6 else min(3, number)
    count = math.ceil(number / columns)
    size = (7.2, 0.8 + (1.45 if columns == 5 else 1.8) * count)
    figure, axes = new_figure(count, columns, sharex=True, sharey=True, squeeze=False, figsize=size)
    first = number - (count - 1) * columns
    for ax in axes[0, first:]:
        ax.axis("off")
    return figure, [*axes[0, :first], *axes[1:].flat]


def draw_peak_rates(ax, tuning, scheduler):
    """One panel of `plot_peak_rates`: the tuning runs of one scheduler."""
    for i, (epochs, runs) in enumerate(tuning.groupby("epochs")):
        means = runs.groupby(["scheduler", "peak_lr"]).accuracy.mean()
        edge = lowest_shown(means)
        means = means[scheduler]
        label = f"{epochs} epoch" + "s" * (epochs > 1)
        style = {"color": COLOURS[i], "linestyle": DASHES[i], "marker": "."}
        ax.plot(means.index, means.clip(edge), label=label, **style)
        below = means[means < edge]
        ax.plot(below.index, [edge] * len(below), "v", color=COLOURS[i])
        ring = {"marker": "o", "color": COLOURS[i], "fillstyle": "none", "ms": 9}
        ax.plot(means.idxmax(), means.max(), clip_on=False, **ring)
    own = tuning[tuning.scheduler == scheduler]
    small = ax.inset_axes([0.03, 0.03, 0.4, 0.19])
    small.plot(own.lr.iloc[-1], color=GREY, linewidth=1)
    small.set(xticks=[], yticks=[], ylim=(0, None))
    rates = sorted(tuning.peak_lr.unique())
    ax.set_xscale("log", base=2)
    ax.set(xticks=rates, xticklabels=[f"{rate:g}" for rate in rates])
    ax.tick_params(axis="x", rotation=90, labelsize=SMALL)
    ax.minorticks_off()


def lowest_shown(means):
    """The lower edge for one budget: twice as far below the best as the worst scheduler's best."""
    best = means.groupby("scheduler").max()
    return best.max() - max(BELOW_BEST, 2 * (best.max() - best.min()))


def plot_regret(table, epochs):
    """Draw what a wrong peak rate costs, with 95 % intervals: a row a scheduler, a panel a factor.

    The most forgiving scheduler is on top, by its mean loss over the factors that its grid allows.
    "beyond" stands for a rate that the grid lacks, a triangle and a number for a large loss. A
    loss without an interval had a run that diverged.

    A notebook shows the figure at the end of the cell; elsewhere call
    `matplotlib.pyplot.show()`.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget of the tuning runs, in epochs.

    Returns:
        The `matplotlib.axes.Axes` from left to right: one of the rate curves, then one for each
        factor of `analysis.FACTORS`, in points of validation accuracy.

    Example:
        >>> from lrcore.cifar import results
        >>> rates, *losses = plot_regret(results.rows("adamw"), 8)
        >>> [ax.get_title() for ax in losses]
        ['best rate / 4', 'best rate / 2', 'best rate × 2', 'best rate × 4']
    """
    lines = analysis.regret(table, epochs)
    order = lines.groupby("scheduler").loss.mean().sort_values().index
    # a few cliffs do not flatten all others
    edge = max(min(10, lines.loss.max()), lines.loss.quantile(0.9))
    shown = lines[lines.loss <= edge]
    low, high = min(0, shown.loss.min(), shown.low.min()), max(edge, shown.high.max())
    margin = 0.08 * (high - low)
    with book_style():
        runs = runs_of(table, "tuning", epochs)
        _, axes = strips(order, runs, panels=len(analysis.FACTORS))
        for ax, factor in zip(axes[1:], analysis.FACTORS, strict=True):
            own = lines[lines.factor == factor].set_index("scheduler")
            for place, scheduler in enumerate(order):
                if scheduler in own.index:
                    draw_loss(ax, place, own.loc[scheduler], edge, high)
                else:
                    ax.text(margin, place, "beyond", va="center", fontsize=SMALL, color=GREY)
            ax.axvline(0, color=COLOURS[0], linewidth=1.2)
            ax.set_xlim(low - margin, high + margin)
            ax.set_title(TIMES[factor], fontsize=9)
        # below the middle of the panels
        axes[2].set_xlabel("validation accuracy lost, points", x=1.05, fontsize=9)
    return axes


def draw_loss(ax, place, line, edge, high):
    """One loss of `plot_regret`: a dot and its interval, or above `edge` a number at `high`."""
    sure = line.low > 0
    colour = COLOURS[1] if sure else GREY
    if line.loss > edge:
        ax.plot(high, place, ">", color=COLOURS[1])
        ax.text(0.85 * high, place, f"{line.loss:.0f}", ha="right", va="center", fontsize=SMALL)
        return
    ax.plot([line.low, line.high], [place, place], color=colour, linewidth=1.4)
    ax.plot(line.loss, place, "D" if sure else "o", color=colour, markersize=4.5)


def plot_horizon(table, epochs):
    """Draw the runs of unknown length: their rates, the accuracy along the run and at its end.

    Bands and bars are 95 % intervals, each of one mean. The first fifth may start below the frame.

    A notebook shows the figure at the end of the cell; elsewhere call
    `matplotlib.pyplot.show()`.

    Args:
        table: the rows of one plan, as `results.rows` returns them. Its horizon runs are drawn.
        epochs: the budget, in epochs.

    Returns:
        The three `matplotlib.axes.Axes`: of the rates, of the accuracy along the run, and of that
        at the end.

    Raises:
        ValueError: there are no such runs.

    Example:
        >>> from lrcore.cifar import results
        >>> rates, along, end = plot_horizon(results.rows("small"), 2)
        >>> along.get_ylabel()
        'accuracy, %'
    """
    curves = analysis.along_the_run(table, epochs)
    ends = analysis.horizon(table, epochs).set_index("scheduler")
    names = [name for name in HORIZON if name in ends.index]
    with book_style():
        figure, (left, middle, right) = new_figure(
            1, 3, width_ratios=[1, 1.7, 0.9], figsize=(7.2, 3.4)
        )
        highest = max(map(max, runs_of(table, "horizon", epochs).lr))
        for i, name in enumerate(names):
            style = {"color": COLOURS[i], "linestyle": DASHES[i]}
            rates = runs_of(table, "horizon", epochs, name).lr.iloc[0]
            times = [epochs * k / len(rates) for k in range(len(rates))]
            left.plot(times, [rate / highest for rate in rates], **style)
            own = curves[curves.scheduler == name]
            middle.plot(own.epoch, own.accuracy, marker=MARKERS[i], ms=3.5, label=name, **style)
            middle.fill_between(own.epoch, own.low, own.high, color=COLOURS[i], alpha=0.15, lw=0)
            end = ends.loc[name]
            right.vlines(i, end.low, end.high, color=COLOURS[i])
            right.plot(i, end.accuracy, MARKERS[i], color=COLOURS[i], ms=5)
        left.set(xlabel="epoch", ylabel="rate / highest of all")
        middle.set(xlabel="epoch", ylabel="accuracy, %")
        middle.set_ylim(bottom=curves[curves.epoch >= epochs / 5].accuracy.min() - 2)
        for ax in (left, middle):
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        right.set(xticks=[], xlim=(-0.7, len(names) - 0.3), xlabel="at the end")
        add_legend(middle)
    return left, middle, right


def plot_gaps(gaps, ax=None):
    """Draw how far two choices lie apart: schedules are squares, peak rates are dots.

    A bar is the 95 % interval.

    A notebook shows the figure at the end of the cell; elsewhere call
    `matplotlib.pyplot.show()`.

    Args:
        gaps: what `analysis.does_it_matter` returns.
        ax: axes to draw into. None makes a new figure.

    Returns:
        The `matplotlib.axes.Axes`, with a line for each choice, in points of accuracy.

    Example:
        >>> from lrcore.cifar import analysis, results
        >>> ax = plot_gaps(analysis.does_it_matter(results.rows("adamw"), 8))
        >>> ax.get_yticklabels()[0].get_text()
        'two schedules that end at zero'
    """
    with book_style():
        if ax is None:
            _, ax = new_figure(figsize=(7.2, 0.9 + 0.36 * len(gaps)))
        for place, line in enumerate(gaps.itertuples()):
            colour, mark = (COLOURS[1], "o") if "rate" in line.choice else (COLOURS[0], "s")
            ax.plot([line.low, line.high], [place, place], color=colour)
            ax.plot(line.gap, place, mark, color=colour)
        ax.axvline(0, color=GREY)
        ax.set(yticks=range(len(gaps)), yticklabels=gaps.choice, ylim=(len(gaps) - 0.5, -0.5))
        ax.grid(axis="y", visible=False)
        ax.set_xlabel("how far apart, points of accuracy")
    return ax


def plot_against_toy(table, toy_losses, ax=None):
    """Draw mean accuracy at the longest fair budget against the final loss of the toy optimizer.

    A notebook shows the figure at the end of the cell; elsewhere call
    `matplotlib.pyplot.show()`.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        toy_losses: {scheduler: expected loss of lrcore.toy at the end}. Schedulers without one
            are left out.
        ax: axes to draw into. None makes a new figure.

    Returns:
        The `matplotlib.axes.Axes`: losses to the right, accuracies in percent upwards.

    Raises:
        ValueError: there are no fair runs.

    Example:
        >>> from lrcore.cifar import results
        >>> losses = {"constant": 0.02, "linear_lr": 0.002}
        >>> ax = plot_against_toy(results.rows("adamw"), losses)
        >>> [text.get_text() for text in ax.texts]
        ['constant', 'linear_lr']
    """
    lines = by_scheduler(table)
    means = lines[lines.epochs == longest(table, "fair")].set_index("scheduler").accuracy
    with book_style():
        if ax is None:
            _, ax = new_figure(figsize=(7.2, 4.2))
        for scheduler, loss in toy_losses.items():
            ax.plot(loss, means[scheduler], "o", color=COLOURS[0])
        ax.margins(0.2, 0.1)  # room for the names
        ax.set_xscale("log")
        ratio = max(toy_losses.values()) / min(toy_losses.values())
        marks = (1, 1.5, 2, 3, 5, 7) if ratio < 10 else (1, 2, 5) if ratio < 200 else (1,)
        ax.xaxis.set_major_locator(LogLocator(subs=marks))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel("expected loss of the toy optimizer at the end")
        ax.set_ylabel("accuracy, %")
        name_points(ax, {name: (loss, means[name]) for name, loss in toy_losses.items()})
    return ax


def name_points(ax, points):
    """Write the name of each of {name: (x, y)} beside it, where nothing else is.

    A line leads from a name to its dot if the place beside that is taken.
    """
    ax.figure.draw_without_rendering()  # from now on the axes have their size
    dots = ax.transData.transform(list(points.values()))
    taken = [Bbox.from_extents(x - 5, y - 5, x + 5, y + 5) for x, y in dots]
    beside = {"textcoords": "offset points", "fontsize": SMALL}
    line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 3}
    for name, dot in points.items():
        text = ax.annotate(name, dot, xytext=(0, 0), **beside)
        for distance, (x, y) in product(DISTANCES, SIDES):
            across, up = SIDES[x, y]
            text.set(position=(distance * x, distance * y), ha=across, va=up)
            box = text.get_window_extent()
            inside = ax.bbox.contains(*box.min) and ax.bbox.contains(*box.max)
            if inside and box.count_overlaps(taken) == 0:
                break
        taken.append(box)
        if distance > DISTANCES[0]:
            ax.annotate("", dot, xytext=text.get_position(), arrowprops=line, **beside)
