"""The figures of the comparison, drawn from recorded rows; each shows the rate curves beside."""

import math

from matplotlib import pyplot as plt
from matplotlib import rc_context
from matplotlib.ticker import LogLocator, NullLocator

from lrcore.cifar.results import longest, runs_of, summary
from lrcore.plotting import COLOURS, DASHES, STYLE, legend_above

GREY = "#737373"


def plot_seeds(table, experiment, epochs):
    """Every run a dot, every scheduler a row, the best mean on top; a bar is the 95 % interval.

    `table` is what `results.rows` returns; `experiment` is "defaults" or "fair".
    """
    lines = summary(table, experiment)
    lines = lines[lines.epochs == epochs]
    runs = runs_of(table, experiment, epochs)
    with rc_context(STYLE):
        figure, (left, right) = strips(lines.scheduler, runs)
        for place, line in enumerate(lines.itertuples()):
            accuracies = runs[runs.scheduler == line.scheduler].accuracy
            right.plot(accuracies, [place] * len(accuracies), "o", color=COLOURS[0], alpha=0.5)
            right.plot([line.low, line.high], [place, place], color=COLOURS[0])
            right.plot(line.accuracy, place, "|", color=COLOURS[1], markersize=13, mew=2)
        right.set_xlabel("accuracy on the test images, %")
        plt.show()


def plot_differences(comparison, table, epochs):
    """The differences from cosine with their intervals; what is no tie is coloured.

    `comparison` is what `results.against_cosine(table, epochs)` returns.
    """
    colours = {"higher": COLOURS[2], "lower": COLOURS[1], "tie": GREY}
    marks = {"higher": ">", "lower": "<", "tie": "o"}
    with rc_context(STYLE):
        figure, (left, right) = strips(comparison.scheduler, runs_of(table, "fair", epochs))
        right.axvline(0, color=COLOURS[0])
        for place, line in enumerate(comparison.itertuples()):
            colour = colours[line.verdict]
            right.plot([line.low, line.high], [place, place], color=colour)
            right.plot(line.difference, place, marks[line.verdict], color=colour)
        right.set_xlabel("accuracy minus that of cosine, points")
        plt.show()


def strips(schedulers, runs):
    """A figure with a row for each scheduler: its rate curve on the left, room on the right."""
    height = 0.6 + 0.3 * len(schedulers)
    figure, axes = plt.subplots(
        1, 2, sharey=True, figsize=(7.2, height), width_ratios=[1, 3], gridspec_kw={"wspace": 0.02}
    )
    for place, scheduler in enumerate(schedulers):
        rates = runs[runs.scheduler == scheduler].lr.iloc[0]
        times = [i / len(rates) for i in range(len(rates))]
        curve = [place + 0.35 - 0.7 * rate / max(rates) for rate in rates]
        axes[0].plot(times, curve, color=COLOURS[0], linewidth=1.4)
        axes[0].fill_between(times, curve, place + 0.35, color=COLOURS[0], alpha=0.12, linewidth=0)
    axes[0].set(yticks=range(len(schedulers)), yticklabels=schedulers, xticks=[])
    axes[0].set_xlabel("rate over the run")
    axes[0].set_ylim(len(schedulers) - 0.4, -0.6)
    for ax in axes:
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    return figure, axes


def plot_budgets(table, shown):
    """Mean accuracy against the budget: the schedulers in `shown` by name, all others in grey.

    A bar is the 95 % interval of the mean; the bars of one budget stand a little apart.
    """
    lines = summary(table)
    with rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, width_ratios=[1, 2])
        for scheduler, means in lines.groupby("scheduler"):
            if scheduler not in shown:
                right.plot(means.epochs, means.accuracy, color="#d4d4d4", linewidth=1)
        for i, scheduler in enumerate(shown):
            style = {"color": COLOURS[i], "linestyle": DASHES[i]}
            means = lines[lines.scheduler == scheduler]
            places = means.epochs * 1.02 ** (i - (len(shown) - 1) / 2)
            right.plot(places, means.accuracy, marker="o", label=scheduler, **style)
            right.vlines(places, means.low, means.high, color=COLOURS[i], linewidth=1.2)
            rates = runs_of(table, "fair", max(means.epochs), scheduler).lr.iloc[0]
            left.plot([rate / max(rates) for rate in rates], **style)
        left.set(xticks=[], xlabel="over the run", ylabel="rate / highest rate")
        budgets = sorted(lines.epochs.unique())
        right.set_xscale("log", base=2)
        right.set(xticks=budgets, xticklabels=budgets)
        right.set(xlabel="budget, epochs", ylabel="accuracy, %")
        right.minorticks_off()
        legend_above(figure, right)
        plt.show()


def plot_peak_rates(table):
    """Validation accuracy against the peak rate: a panel a scheduler, a line a budget.

    The ring marks the rate that the fair runs took; a diverged run has no dot. The small curve is
    the rate over the run.
    """
    tuning = runs_of(table, "tuning")
    schedulers = list(tuning.scheduler.unique())
    columns = 5
    count = math.ceil(len(schedulers) / columns)
    with rc_context(STYLE):
        figure, axes = plt.subplots(
            count, columns, sharex=True, sharey=True, figsize=(7.2, 0.5 + 1.45 * count)
        )
        for ax, scheduler in zip(axes.flat, schedulers, strict=False):
            draw_peak_rates(ax, tuning[tuning.scheduler == scheduler])
            ax.set_title(scheduler.replace("cosine_annealing", "cosine"), fontsize=7.5)
        for ax in axes.flat[len(schedulers) :]:
            ax.axis("off")
        low, high = axes.flat[0].get_ylim()
        axes.flat[0].set_ylim(low - 0.4 * (high - low))  # room for the small curves
        figure.supxlabel("peak rate", fontsize=9)
        figure.supylabel("validation accuracy, %", fontsize=9)
        legend_above(figure, axes.flat[0])
        plt.show()


def draw_peak_rates(ax, tuning):
    """One panel of `plot_peak_rates`: the tuning runs of one scheduler."""
    for i, (epochs, runs) in enumerate(tuning.groupby("epochs")):
        means = runs.groupby("peak_lr").accuracy.mean()
        label = f"{epochs} epoch" + "s" * (epochs > 1)
        style = {"color": COLOURS[i], "linestyle": DASHES[i], "marker": "."}
        ax.plot(means.index, means, label=label, **style)
        best = means.idxmax()
        ax.plot(best, means[best], "o", color=COLOURS[i], fillstyle="none", markersize=9)
    small = ax.inset_axes([0.03, 0.04, 0.4, 0.2])
    small.plot(tuning.lr.iloc[-1], color=GREY, linewidth=1)
    small.set(xticks=[], yticks=[], ylim=(0, None))
    rates = sorted(tuning.peak_lr.unique())
    ax.set_xscale("log", base=2)
    ax.set(xticks=rates, xticklabels=[f"{rate:g}" for rate in rates])
    ax.tick_params(axis="x", rotation=90, labelsize=7)
    ax.minorticks_off()


def plot_against_toy(table, toy_losses):
    """Mean accuracy at the longest budget against the final loss of the toy optimizer.

    `toy_losses` maps a scheduler to its expected loss; schedulers without one are left out.
    """
    lines = summary(table)
    means = lines[lines.epochs == longest(table, "fair")].set_index("scheduler").accuracy
    with rc_context(STYLE):
        figure, ax = plt.subplots(figsize=(7.2, 4.2))
        for i, scheduler in enumerate(sorted(toy_losses, key=toy_losses.get)):
            place = (toy_losses[scheduler], means[scheduler])
            ax.plot(*place, "o", color=COLOURS[0])
            # neighbours have their names on different sides
            side = {"ha": "right", "xytext": (-5, -8)} if i % 2 else {"xytext": (5, 3)}
            ax.annotate(scheduler, place, textcoords="offset points", fontsize=7, **side)
        ax.margins(0.16, 0.08)
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel("expected loss of the toy optimizer at the end")
        ax.set_ylabel("accuracy, %")
        plt.show()
