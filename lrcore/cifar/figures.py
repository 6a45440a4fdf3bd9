"""The figures of the comparison, drawn from recorded rows; each shows the rate curves beside."""

import math

from matplotlib import pyplot as plt
from matplotlib import rc_context

from lrcore.cifar.results import summary
from lrcore.plotting import COLOURS, DASHES, STYLE

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
    """Mean accuracy against the budget: the schedulers in `shown` by name, all others in grey."""
    lines = summary(table)
    with rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, width_ratios=[1, 2])
        for scheduler, means in lines.groupby("scheduler"):
            if scheduler not in shown:
                right.plot(means.epochs, means.accuracy, color="#d4d4d4", linewidth=1)
        for i, scheduler in enumerate(shown):
            style = {"color": COLOURS[i], "linestyle": DASHES[i], "label": scheduler}
            means = lines[lines.scheduler == scheduler]
            right.plot(means.epochs, means.accuracy, marker="o", **style)
            rates = runs_of(table, "fair", max(means.epochs), scheduler).lr.iloc[0]
            left.plot([rate / max(rates) for rate in rates], **style)
        left.set(xticks=[], xlabel="over the run", ylabel="rate / highest rate")
        budgets = sorted(lines.epochs.unique())
        right.set_xscale("log", base=2)
        right.set(xticks=budgets, xticklabels=budgets)
        right.set(xlabel="budget, epochs", ylabel="accuracy, %")
        right.minorticks_off()
        figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=3)
        plt.show()


def plot_peak_rates(table, schedulers):
    """Validation accuracy against the peak rate: a panel a scheduler, a line a budget.

    The ring marks the rate that the fair runs took. A diverged run has no dot.
    """
    tuning = table[table.experiment == "tuning"]
    budgets = sorted(tuning.epochs.unique())
    columns = 5
    with rc_context(STYLE):
        count = math.ceil(len(schedulers) / columns)
        figure, axes = plt.subplots(
            count, columns, sharex=True, sharey=True, figsize=(7.2, 0.5 + 1.35 * count)
        )
        for ax, scheduler in zip(axes.flat, schedulers, strict=False):
            for i, epochs in enumerate(budgets):
                runs = tuning[(tuning.scheduler == scheduler) & (tuning.epochs == epochs)]
                means = runs.groupby("peak_lr").accuracy.mean()
                style = {"color": COLOURS[i], "linestyle": DASHES[i], "marker": "."}
                ax.plot(means.index, means, label=f"{epochs} epochs", **style)
                best = means.idxmax()
                ax.plot(best, means[best], "o", color=COLOURS[i], fillstyle="none", markersize=9)
            inset = ax.inset_axes([0.02, 0.03, 0.34, 0.24])
            inset.plot(runs.lr.iloc[0], color=GREY, linewidth=1)
            inset.set(xticks=[], yticks=[], ylim=(0, None))
            ax.set_title(scheduler.replace("cosine_annealing", "cosine"), fontsize=7.5)
            ax.set_xscale("log", base=2)
            rates = sorted(tuning.peak_lr.unique())
            ax.set(xticks=rates, xticklabels=[f"{rate:g}" for rate in rates])
            ax.tick_params(axis="x", rotation=90, labelsize=7)
            ax.minorticks_off()
        for ax in axes.flat[len(schedulers) :]:
            ax.axis("off")
        figure.supxlabel("peak rate", fontsize=9)
        figure.supylabel("validation accuracy, %", fontsize=9)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(budgets))
        plt.show()


def runs_of(table, experiment, epochs, scheduler=None):
    """The rows of one experiment and budget, of one scheduler if it is named, first seed first."""
    runs = table[(table.experiment == experiment) & (table.epochs == epochs)]
    if scheduler is not None:
        runs = runs[runs.scheduler == scheduler]
    return runs.sort_values(["scheduler", "seed"])
