"""The statistics of the comparison, as functions of a table of rows, one row a training run.

Seeds are shared: run 300 of every scheduler starts from the same weights and sees the same batches.
So schedulers are compared seed by seed, and what a seed does to all of them alike drops out. A run
that diverged counts as guessing, everywhere: `runs_of` sees to it, and every function asks it.

`table` is a DataFrame of the rows of one plan, as `results.rows` returns it.
"""

import math

import numpy as np
import pandas as pd
from scipy import stats

from lrcore.cifar import results
from lrcore.cifar.plans import CHANCE

COSINE = "cosine_annealing_lr"
PLANNED = "cosine_planned_right"  # the horizon run that the others are compared with
GUESSING = {"accuracy": CHANCE, "cross_entropy": math.log(100 / CHANCE)}  # what it gives
FACTORS = (0.25, 0.5, 2, 4)  # how far off the best peak rate is tried
SMALL = ("small", "cooldowns")  # recorded sets whose network is the narrow one
ALMOST_ZERO = 0.025  # of the highest rate: a decay to a hundredth is below, a floor of 4 % above


# ---------------------------------------------------------------------- which runs


def runs_of(table, experiment, epochs=None, scheduler=None):
    """The rows of one experiment, and if they are named of one budget and one scheduler.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        experiment: "defaults", "tuning", "fair" or "horizon".
        epochs: a budget, in epochs. None takes all of them.
        scheduler: the name of a scheduler. None takes all of them.

    Returns:
        These rows as a DataFrame, sorted by budget, scheduler and seed, with a column `diverged`.
        A run that diverged has the accuracy and the cross-entropy of guessing.

    Example:
        >>> from lrcore.cifar import results
        >>> runs = runs_of(results.rows("transformer"), "fair", 1, "constant")
        >>> list(runs.seed)
        [300, 301, 302, 303, 304, 305, 306, 307, 308, 309]
    """
    runs = table[table.experiment == experiment]
    if epochs is not None:
        runs = runs[runs.epochs == epochs]
    if scheduler is not None:
        runs = runs[runs.scheduler == scheduler]
    return with_guesses(runs.sort_values(["epochs", "scheduler", "seed"]))


def with_guesses(table):
    """A copy in which a diverged run counts as guessing; `diverged` says which did."""
    counted = table.assign(diverged=table.diverged_at.notna())
    for measure, guess in GUESSING.items():
        counted[measure] = table[measure].astype(float).mask(counted.diverged, guess)
    return counted


def budgets(table, experiment):
    """The budgets of one experiment, in epochs, the smallest first.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        experiment: "defaults", "tuning", "fair" or "horizon".

    Returns:
        A list of numbers of epochs, empty if there are no runs of that experiment.

    Example:
        >>> from lrcore.cifar import results
        >>> budgets(results.rows("adamw"), "fair")
        [8]
    """
    return sorted(set(runs_of(table, experiment).epochs))


def longest(table, experiment):
    """The largest budget of one experiment, in epochs.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        experiment: "defaults", "tuning", "fair" or "horizon".

    Returns:
        A number of epochs.

    Raises:
        ValueError: there are no runs of that experiment.

    Example:
        >>> from lrcore.cifar import results
        >>> longest(results.rows("adamw"), "fair")
        8
    """
    found = budgets(table, experiment)
    if not found:
        known = ", ".join(sorted(set(table.experiment))) or "none"
        raise ValueError(f"experiment={experiment!r}: these rows have {known}")
    return found[-1]


def by_seed(table, experiment, epochs, measure="accuracy"):
    """What each run of one budget gave: a line for each seed, a column for each scheduler.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        experiment: "defaults", "fair" or "horizon".
        epochs: the budget, in epochs.
        measure: "accuracy", in percent, or "cross_entropy".

    Returns:
        A DataFrame with the seeds as its index; NaN where no run is. A run that diverged counts as
        guessing.

    Raises:
        ValueError: another measure, or a scheduler that has two runs of one seed.

    Example:
        >>> from lrcore.cifar import results
        >>> values = by_seed(results.rows("transformer"), "fair", 1)
        >>> values.shape
        (10, 6)
        >>> values.mean().round(1).to_dict()["warmup_cosine"]
        96.8
    """
    if measure not in GUESSING:
        raise ValueError(f"measure={measure!r}: allowed are {', '.join(GUESSING)}")
    runs = runs_of(table, experiment, epochs)
    if runs.duplicated(["scheduler", "seed"]).any():
        raise ValueError("a scheduler has two runs of one seed: give the rows of one plan")
    return runs.pivot(index="seed", columns="scheduler", values=measure)


# ---------------------------------------------------------------------- what was measured


def measured_on(table):
    """What the rows of a table were measured on: data, network, optimizer, machine, in words.

    Args:
        table: rows of one plan or of several, as `results.rows` returns them.

    Returns:
        A text with one fact a line.

    Example:
        >>> from lrcore.cifar import results
        >>> print(measured_on(results.rows("adamw")))
        runs: 144
        data: CIFAR-10, JPEG-75
        network: convolutional, widths [16, 32, 64, 128], stride 2
        optimizer: AdamW, betas [0.9, 0.999], eps 1e-08, weight_decay 0.01
        batch size: 500
        device: NVIDIA H200
        precision: bfloat16
        torch: 2.11.0+cu130
    """
    facts = {
        "data": table.data,
        "network": table.apply(network_in_words, axis=1),
        "optimizer": table.apply(optimizer_in_words, axis=1),
        "batch size": table.batch_size,
        "device": table.device + table.threads.map(threads_in_words),
        "precision": table.precision,
        "torch": table.torch,
    }
    lines = [f"{name}: {' and '.join(sorted(set(map(str, fact))))}" for name, fact in facts.items()]
    return "\n".join([f"runs: {len(table)}", *lines])


def network_in_words(row):
    if row.network != "convolutional":
        return row.network
    return f"{row.network}, widths {list(row.widths)}, stride {row.stride:.0f}"


def optimizer_in_words(row):
    return ", ".join([row.optimizer, *(f"{k} {v}" for k, v in row.optimizer_arguments.items())])


def threads_in_words(threads):
    return "" if pd.isna(threads) else f", {threads:.0f} thread" + "s" * (threads > 1)


# ---------------------------------------------------------------------- means


def by_scheduler(table, experiment="fair"):
    """The mean of each budget and scheduler, the best mean accuracy of each budget first.

    Each interval holds by itself, and for one scheduler: whether two differ is for
    `against_cosine`.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        experiment: "defaults", "fair" or "horizon".

    Returns:
        A DataFrame with a line for each budget (`epochs`) and `scheduler`: `seeds`, how many of
        them `diverged`, `peak_lr`, the mean `accuracy` in percent with Student's 95 % interval
        `low` to `high` (NaN with one seed), and the mean `cross_entropy`. A run that diverged
        counts as guessing.

    Raises:
        ValueError: there are no runs of that experiment.

    Example:
        >>> from lrcore.cifar import results
        >>> best = by_scheduler(results.rows("adamw")).loc[0]
        >>> print(best.scheduler, best.accuracy.round(1), best.low.round(1), best.high.round(1))
        warmup_stable_decay 79.8 79.6 80.0
    """
    longest(table, experiment)
    lines = []
    grouped = runs_of(table, experiment).groupby(["epochs", "scheduler"])
    for (epochs, scheduler), group in grouped:
        mean, low, high = mean_interval(group.accuracy)
        lines.append(
            {
                "epochs": epochs,
                "scheduler": scheduler,
                "seeds": len(group),
                "diverged": group.diverged.sum(),
                "peak_lr": group.peak_lr.iloc[0],
                "accuracy": mean,
                "low": low,
                "high": high,
                "cross_entropy": group.cross_entropy.mean(),
            }
        )
    order = {"by": ["epochs", "accuracy"], "ascending": [True, False]}
    return pd.DataFrame(lines).sort_values(**order, ignore_index=True)


def mean_interval(values):
    """The mean, and the ends of its 95 % interval (Student 1908); NaN for those of one value."""
    mean = np.mean(values)
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return mean, mean - half, mean + half


def spread(table, epochs):
    """Standard deviation between seeds, pooled over the schedulers of one fair budget.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.

    Returns:
        The standard deviation in points of test accuracy. A run that diverged counts as guessing.

    Example:
        >>> from lrcore.cifar import results
        >>> print(spread(results.rows("adamw"), 8).round(2))
        0.54
    """
    return by_seed(table, "fair", epochs).var().mean() ** 0.5


# ---------------------------------------------------------------------- comparisons


def against_cosine(table, epochs, measure="accuracy"):
    """Compare every scheduler with cosine annealing, seed by seed, in the fair runs of one budget.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.
        measure: "accuracy" or "cross_entropy". Differences of accuracies are in points.

    Returns:
        A DataFrame with a line for each other scheduler, as `compare` returns it.

    Raises:
        ValueError: another measure, no runs of cosine annealing, or two runs of one seed.

    Example:
        >>> from lrcore.cifar import results
        >>> lines = against_cosine(results.rows("adamw"), 8)
        >>> lines.set_index("scheduler").verdict.to_dict()["warmup_cosine"]
        'higher'
    """
    return compare(by_seed(table, "fair", epochs, measure), COSINE, measure)


def primary_comparison(table, primary, measure="accuracy"):
    """The one comparison with cosine that the plan fixed before its runs.

    Neither its interval nor its `p` is corrected: who names one comparison beforehand makes one.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        primary: the plan's (scheduler, budget in epochs): `PLANS["adamw"].primary`.
        measure: "accuracy" or "cross_entropy". Differences of accuracies are in points.

    Returns:
        A Series: `scheduler`, the columns of `paired_t`, `unpaired` as in `compare`, and
        `verdict`: "higher" or "lower" where p < 0.05, else "undecided".

    Raises:
        ValueError: the scheduler and cosine do not share a seed, or what `against_cosine` refuses.

    Example:
        >>> from lrcore.cifar import PLANS, results
        >>> line = primary_comparison(results.rows("adamw"), PLANS["adamw"].primary)
        >>> print(line.scheduler, line.difference.round(2), line.verdict)
        warmup_stable_decay 3.24 higher
    """
    scheduler, epochs = primary
    values = by_seed(table, "fair", epochs, measure)
    lines = compare(values.filter([COSINE, scheduler]), COSINE, measure)
    if lines.empty:
        raise ValueError(f"primary={primary}: no seed has runs of that scheduler and of cosine")
    return lines.drop(columns=["p_holm", "low_all", "high_all"]).iloc[0]


def measured(*schedulers):
    """What the recorded comparisons found for some schedulers, each at its longest fair budget.

    Args:
        schedulers: names in `entries.FAIR`, such as "step_lr".

    Returns:
        A DataFrame with a line for each recorded set and scheduler, ready to be read: `network`,
        `optimizer`, `epochs`, `seeds`, `scheduler`, the mean `accuracy` in percent, its difference
        `against cosine` in points, with the interval that all comparisons of its set keep at the
        same time with 95 %, and the `verdict` of `against_cosine` ("" for cosine itself).

    Raises:
        ValueError: a scheduler that no recorded set has.

    Example:
        >>> measured("step_lr").verdict.to_list()
        ['lower', 'lower']
    """
    found = []
    for name in results.recorded():
        table = results.rows(name)
        epochs = longest(table, "fair")
        runs = runs_of(table, "fair", epochs)
        lines = against_cosine(table, epochs).set_index("scheduler")
        for scheduler in schedulers:
            own = runs[runs.scheduler == scheduler]
            if own.empty:
                continue
            line = lines.loc[scheduler] if scheduler in lines.index else None
            found.append(
                {
                    "network": own.network.iloc[0] + (", small" if name in SMALL else ""),
                    "optimizer": own.optimizer.iloc[0],
                    "epochs": epochs,
                    "seeds": len(own),
                    "scheduler": scheduler,
                    "accuracy": f"{own.accuracy.mean():.1f}",
                    "against cosine": "" if line is None else _in_points(line),
                    "verdict": "" if line is None else line.verdict,
                }
            )
    missing = set(schedulers) - {line["scheduler"] for line in found}
    if missing:
        names = ", ".join(sorted(missing))
        raise ValueError(f"schedulers={schedulers}: no recorded set has {names}")
    return pd.DataFrame(found)


def _in_points(line):
    return f"{line.difference:+.2f} ({line.low_all:+.2f} to {line.high_all:+.2f})"


def compare(values, control, measure="accuracy"):
    """Compare each column of a table with one of them, the control, by differences in pairs.

    `low` to `high` holds with 95 % for one comparison that was picked beforehand. With 95 % *all*
    intervals `low_all` to `high_all` hold at the same time (Bonferroni: each errs in 5 % / number
    of them). Holm's test finds a little more than those show and has no simple intervals of its
    own: a scheduler may be "higher" and have a zero just within `low_all`.

    Args:
        values: a line for each seed and a column for each scheduler, as `by_seed` returns them.
            A seed that only one of both has is dropped from their comparison.
        control: the name of the column that the others are compared with.
        measure: what the values are. Of "cross_entropy" the lower one wins.

    Returns:
        A DataFrame with a line for each `scheduler` that shares a seed with the control, the
        largest difference first: the columns of `paired_t`, the number of seeds that were dropped
        as `unpaired`, and for all comparisons together `p_holm` (see `holm`), the interval
        `low_all` to `high_all`, and `verdict`: "higher" or "lower" where p_holm < 0.05, else
        "undecided".

    Raises:
        ValueError: there is no column of that name.

    Source:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.

    Example:
        >>> from lrcore.cifar import results
        >>> values = by_seed(results.rows("adamw"), "fair", 8)
        >>> line = compare(values[["constant", "linear_lr"]], "constant").loc[0]
        >>> print(line.scheduler, line.difference.round(2), line.won, "of", line.pairs)
        linear_lr 1.24 9 of 10
    """
    if control not in values:
        raise ValueError(f"there are no runs of {control} to compare with")
    differences = values.drop(columns=control).sub(values[control], axis=0)
    there = values.notna()
    unpaired = there.drop(columns=control).ne(there[control], axis=0).sum()
    differences = differences.dropna(axis="columns", how="all")

    lines = paired_t(differences, better=-1 if measure == "cross_entropy" else 1)
    lines["unpaired"] = unpaired[differences.columns]
    lines["p_holm"] = holm(lines.p)
    together = paired_t(differences, error=0.05 / max(1, len(lines)))
    lines["low_all"], lines["high_all"] = together.low, together.high
    found = lines.p_holm < 0.05
    lines["verdict"] = np.select(
        [found & (lines.difference > 0), found & (lines.difference < 0)],
        ["higher", "lower"],
        "undecided",
    )
    lines = lines.sort_values("difference", ascending=False, kind="stable")
    return lines.rename_axis("scheduler").reset_index()


def paired_t(differences, error=0.05, better=1):
    """Student's paired t test of each column of a table of differences.

    A single pair has no interval, and decides nothing: p is 1. If all differences are the same,
    the interval shrinks to a point and t has nothing to divide by; then p is that of the sign
    test, one half to the power of pairs - 1, or 1 if they are all 0.

    Args:
        differences: a DataFrame with a line for each pair and a column for each test; NaN where a
            pair lacks.
        error: the probability that an interval misses the true mean.
        better: 1 if a difference above 0 is a win, -1 if one below it is.

    Returns:
        A DataFrame with a line for each column: the mean `difference`, the standard deviation `sd`
        of the differences, the interval `low` to `high`, `p` for a true mean of 0, the number of
        `pairs`, and how many were `won`. Differences have the unit that they came in.

    Source:
        Student, "The Probable Error of a Mean", Biometrika 6, 1908.

    Example:
        >>> import pandas as pd
        >>> line = paired_t(pd.DataFrame({"a": [1.0, 2.0, 3.0]})).loc["a"]
        >>> print(*line[["difference", "low", "high", "p"]].round(2))
        2.0 -0.48 4.48 0.07
    """
    pairs = differences.count()
    mean = differences.mean().round(12)  # where all are the same, rounding must not look like
    sd = differences.std().round(12)  # a spread
    standard_error = sd / pairs**0.5
    half = stats.t.ppf(1 - error / 2, pairs - 1) * standard_error
    p = pd.Series(2 * stats.t.sf(mean.abs() / standard_error, pairs - 1), differences.columns)
    p = p.mask(sd == 0, 0.5 ** (pairs - 1)).mask((sd == 0) & (mean == 0), 1.0).mask(pairs < 2, 1.0)
    return pd.DataFrame(
        {
            "difference": mean,
            "sd": sd,
            "low": mean - half,
            "high": mean + half,
            "p": p,
            "pairs": pairs,
            "won": (better * differences > 0).sum(),
        }
    )


def holm(p):
    """Correct p-values for being several (Holm 1979, "A simple sequentially rejective ...").

    With them, the probability that any of the true null hypotheses has one below 0.05 is at most
    0.05, however the tests depend on each other. The smallest of m is multiplied by m, the next by
    m - 1, and so on; none gets below the one before it, and none above 1. Same order as `p`.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(steps, 1)
    return corrected


# ---------------------------------------------------------------------- the peak rate


def tuning_by_rate(table, epochs, column="accuracy"):
    """What each rate of the grid gave in the tuning runs of one budget, scheduler by scheduler.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.
        column: which column of the rows: "accuracy" (percent, on the validation images),
            "cross_entropy" or "diverged".

    Returns:
        {scheduler: DataFrame}, each with a line for each tuning seed and a column for each rate.
        A seed that lacks a rate is left out, and so is a scheduler without a whole seed. A run
        that diverged counts as guessing.

    Example:
        >>> from lrcore.cifar import results
        >>> grids = tuning_by_rate(results.rows("transformer"), 1)
        >>> grids["linear_lr"].mean().round(1).tail(4).to_dict()
        {0.002: 65.6, 0.004: 61.7, 0.008: 10.4, 0.016: 10.1}
    """
    runs = runs_of(table, "tuning", epochs)
    rates = sorted(runs.peak_lr.unique())
    grids = {}
    for scheduler, group in runs.groupby("scheduler"):
        grid = group.pivot(index="seed", columns="peak_lr", values=column).reindex(columns=rates)
        if not (grid := grid.dropna()).empty:
            grids[scheduler] = grid
    return grids


def best_rates(table, epochs):
    """The peak rate of each scheduler with the highest mean validation accuracy at one budget.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.

    Returns:
        {scheduler: rate}. Of a tie it is the lowest. A scheduler without a whole grid is left out.

    Example:
        >>> from lrcore.cifar import results
        >>> float(best_rates(results.rows("transformer"), 1)["warmup_cosine"])
        0.004
    """
    return {name: grid.mean().idxmax() for name, grid in tuning_by_rate(table, epochs).items()}


def grid_ends(table, epochs):
    """The schedulers whose best peak rate is the lowest or the highest of the grid.

    Theirs may lie beyond it: the comparison is a little unkind to them.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.

    Returns:
        {"lowest": schedulers, "highest": schedulers}, two lists of names.

    Example:
        >>> from lrcore.cifar import results
        >>> grid_ends(results.rows("adamw"), 8)
        {'lowest': [], 'highest': ['one_cycle_lr']}
    """
    rates = runs_of(table, "tuning", epochs).peak_lr
    best = best_rates(table, epochs)
    ends = {"lowest": rates.min(), "highest": rates.max()}
    return {end: [name for name in best if best[name] == rate] for end, rate in ends.items()}


def regret(table, epochs):
    """How much validation accuracy a peak rate costs that is 2 or 4 times too low or too high.

    Each loss is counted from the rate that the other seeds find best (see `held_out_losses`), so
    it may come out below zero.

    Two seeds say little about their own spread. So the intervals take one spread of the losses
    for all schedulers, another one at each factor: the pooled standard deviation, with as many
    degrees of freedom as there are seeds less one, added up. A diverged run is a cliff and no
    spread: it counts in the loss, is not pooled, and its scheduler has no interval there. Each
    interval holds by itself.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.

    Returns:
        A DataFrame with a line for each `scheduler` and `factor` (0.25, 0.5, 2 or 4): its
        `best_rate` (that of all seeds), the mean `loss` in points of accuracy, its 95 % interval
        `low` to `high`, the number of `seeds`, and how many had a run that `diverged`. A factor
        that leads out of the grid has no line, nor has a scheduler with one seed a rate.

    Example:
        >>> from lrcore.cifar import results
        >>> lines = regret(results.rows("transformer"), 1).groupby("scheduler")
        >>> lines.get_group("linear_lr").set_index("factor").loss.round(1).to_dict()
        {0.25: 44.9, 0.5: 34.9, 2.0: 3.9, 4.0: 55.1}
    """
    losses = held_out_losses(table, epochs)
    steps = losses.groupby(["scheduler", "factor"])
    lines = steps.agg(
        loss=("loss", "mean"), seeds=("loss", "size"), diverged=("diverged", "sum")
    ).reset_index()
    lines.insert(1, "best_rate", lines.scheduler.map(best_rates(table, epochs)))
    spreads = {factor: pooled_spread(group) for factor, group in losses.groupby("factor")}
    half = [half_interval(line, *spreads[line.factor]) for line in lines.itertuples()]
    lines["low"], lines["high"] = lines.loss - half, lines.loss + half
    return lines


def pooled_spread(losses):
    """The standard deviation of `losses` between seeds, pooled, and its degrees of freedom."""
    broken = losses.groupby("scheduler").diverged.transform("any")
    groups = losses[~broken].groupby("scheduler").loss
    freedom = (groups.size() - 1).sum()
    if freedom == 0:
        return math.nan, 0
    return ((groups.var() * (groups.size() - 1)).sum() / freedom) ** 0.5, freedom


def half_interval(line, spread, freedom):
    """Half the 95 % interval of one line of `regret`; NaN if a run diverged, or one seed is all."""
    if line.diverged or freedom == 0:
        return math.nan
    return stats.t.ppf(0.975, freedom) * spread / line.seeds**0.5


def held_out_losses(table, epochs):
    """What a wrong peak rate costs in each tuning seed, counted from the rate the others find best.

    Returns a line for each scheduler, seed and factor: the `loss` in points of validation accuracy
    at factor times that rate, and whether one of both runs `diverged`.

    Why the others: the best of seven means is partly the luckiest (the winner's curse), and runs
    that chose a rate would flatter it. With two seeds that makes a loss of 0.7 points look like
    1.2 if the spread is 0.8. Held out, it comes out as 0.65: a little low, since the others do not
    always find the best rate.
    """
    names = ["scheduler", "seed", "factor", "loss", "diverged"]
    diverged = tuning_by_rate(table, epochs, "diverged")
    lines = []
    for scheduler, grid in tuning_by_rate(table, epochs).items():
        for seed in grid.index if len(grid) > 1 else []:
            best = grid.drop(index=seed).mean().idxmax()
            for factor in FACTORS:
                wrong = best * factor  # exact for rates that are factors of two apart
                if wrong in grid:
                    loss = grid.at[seed, best] - grid.at[seed, wrong]
                    fell = diverged[scheduler].loc[seed, [best, wrong]].any()
                    lines.append((scheduler, seed, factor, loss, bool(fell)))
    return pd.DataFrame(lines, columns=names)


# ---------------------------------------------------------------------- the unknown horizon


def horizon(table, epochs):
    """Compare the runs whose length is not known from the start, the best mean first.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.

    Returns:
        A DataFrame with a line for each of `entries.HORIZON`: what `by_scheduler` says, and the
        paired comparison with the cosine that was planned right: `difference` in points of
        accuracy, its intervals `difference_low` to `difference_high` (by itself) and `low_all` to
        `high_all` (all at once), `sd`, `p`, `p_holm`, `pairs`, `unpaired`, `won` and `verdict`, as
        in `compare`. The line of that cosine has no comparison: NaN.

    Raises:
        ValueError: there are no such runs, or none of that cosine.

    Example:
        >>> from lrcore.cifar import results
        >>> lines = horizon(results.rows("small"), 2).set_index("scheduler")
        >>> line = lines.loc["wsd_planned_right"]
        >>> print(round(line.difference, 1), line.verdict)
        2.4 higher
    """
    means = by_scheduler(table[table.epochs == epochs], "horizon")
    compared = compare(by_seed(table, "horizon", epochs), PLANNED)
    compared = compared.rename(columns={"low": "difference_low", "high": "difference_high"})
    return means.merge(compared, how="left", on="scheduler")


def along_the_run(table, epochs):
    """The mean test accuracy along the horizon runs of one budget, epoch by epoch.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.

    Returns:
        A DataFrame with a line for each `scheduler` and `epoch`: the mean `accuracy` in percent
        over the seeds and its 95 % interval `low` to `high`, which holds by itself. A run that
        diverged counts as guessing at every epoch.

    Example:
        >>> from lrcore.cifar import results
        >>> lines = along_the_run(results.rows("small"), 2).groupby("scheduler")
        >>> lines.get_group("cosine_planned_right").set_index("epoch").accuracy.round(1).to_dict()
        {1: 49.6, 2: 56.1}
    """
    runs = runs_of(table, "horizon", epochs)
    points = runs.explode("evaluations").dropna(subset="evaluations")
    points = points.assign(epoch=points.evaluations.str[0], accuracy=points.evaluations.str[1])
    guesses = runs[runs.diverged].merge(pd.DataFrame({"epoch": points.epoch.unique()}), "cross")
    lines = []
    grouped = pd.concat([points, guesses]).groupby(["scheduler", "epoch"])
    for (scheduler, epoch), group in grouped:
        mean, low, high = mean_interval(group.accuracy.astype(float))
        lines.append((scheduler, epoch, mean, low, high))
    return pd.DataFrame(lines, columns=["scheduler", "epoch", "accuracy", "low", "high"])


# ---------------------------------------------------------------------- does it matter?


def does_it_matter(table, epochs):
    """How far two choices lie apart: two schedules, beside two peak rates of one schedule.

    The gap between schedules, or between rates of the grid, is the `typical_difference` of two.
    That a rate is off by a factor is counted from the best one (`held_out_losses`), as the mean
    over both directions and all schedulers. Intervals of rates come from the scatter between
    schedulers: they are about a schedule of this kind.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.

    Returns:
        A DataFrame with a line for each `choice`: the `gap` in points of accuracy, its 95 %
        interval `low` to `high`, and the number of `schedulers`. Schedules are compared at their
        own best rates on the test images, and rates on the validation images, for the schedulers
        of `ends_at_zero`. Rates have no lines if there is one seed a rate.

    Example:
        >>> from lrcore.cifar import results
        >>> gaps = does_it_matter(results.rows("adamw"), 8).set_index("choice").gap
        >>> print(gaps.round(1)["two of all schedules"], gaps.round(1)["two rates of the grid"])
        2.5 5.8
    """
    seeds = by_seed(table, "fair", epochs).dropna()
    zero = ends_at_zero(table, epochs)
    lines = [
        ("two schedules that end at zero", *typical_difference(seeds[zero]), len(zero)),
        ("two of all schedules", *typical_difference(seeds), seeds.shape[1]),
    ]
    losses = held_out_losses(table, epochs)
    losses = losses[losses.scheduler.isin(zero)]
    for off in (2, 4):
        means = losses[losses.factor.isin([off, 1 / off])].groupby("scheduler").loss.mean()
        if len(means):
            choice = f"the best rate and one {off} times off"
            lines.append((choice, *mean_interval(means), len(means)))
    grids = tuning_by_rate(table, epochs)
    variances = [variance_between(grids[s]) for s in zero if s in grids and len(grids[s]) > 1]
    if variances:
        gap = difference_of_two(mean_interval(variances))
        lines.append(("two rates of the grid", *gap, len(variances)))
    return pd.DataFrame(lines, columns=["choice", "gap", "low", "high", "schedulers"])


def ends_at_zero(table, epochs):
    """The schedulers whose fair runs of one budget end at a rate of (almost) zero.

    A row has the rate at 48 points; the last stands a forty-eighth before the end, where a
    cooldown over the last quarter is still at a twelfth. So the last two are continued by one more
    in a straight line. Almost zero is a fortieth of the highest rate: that takes in the decays to
    a hundredth (exponential, stairs) and leaves out `cyclic_lr`, which ends at a twenty-fifth.

    Args:
        table: the rows of one plan, as `results.rows` returns them.
        epochs: the budget, in epochs.

    Returns:
        A list of names.

    Example:
        >>> from lrcore.cifar import results
        >>> ends_at_zero(results.rows("transformer"), 1)
        ['cosine_annealing_lr', 'linear_lr', 'warmup_cosine', 'warmup_linear']
    """
    runs = runs_of(table, "fair", epochs)
    low = runs.lr.map(lambda lr: 2 * lr[-1] - lr[-2] <= ALMOST_ZERO * max(lr))
    ends = low.groupby(runs.scheduler).all()  # that of the plateau depends on the seed
    return ends[ends].index.tolist()


def typical_difference(values):
    """The typical true difference of two columns of a table, with the ends of its 95 % interval.

    It is the root of the mean squared difference over all pairs of columns: sqrt(2) times their
    standard deviation, without what the seeds add (`variance_between`).

    Why not the largest mean less the smallest: that grows with the number of columns even if all
    are the same. Of 15 equal ones with 10 seeds it is about 1.1 times the spread between seeds,
    and no bootstrap takes that away. This one's interval comes from leaving out each seed in turn
    (the jackknife), and holds 95 % in simulations, for unequal spreads and for no difference at
    all too.

    Args:
        values: a DataFrame with a line for each seed and a column for each choice, without NaN.

    Returns:
        Three numbers in the unit of the values: the difference, and the lower and the upper end.
        The difference is 0 if the columns differ no more than seeds do. With fewer than three
        seeds there is no interval, with fewer than two seeds or columns nothing at all: NaN.

    Source:
        Tukey, "Bias and Confidence in Not-Quite Large Samples", 1958.

    Example:
        >>> import pandas as pd
        >>> values = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [3.1, 4.0, 4.9]})
        >>> [round(end, 2) for end in typical_difference(values)]
        [2.0, 1.73, 2.23]
    """
    if len(values) < 2 or values.shape[1] < 2:
        return math.nan, math.nan, math.nan
    variance, n = variance_between(values), len(values)
    half = math.nan
    if n > 2:
        without = [variance_between(values.drop(index=seed)) for seed in values.index]
        half = stats.t.ppf(0.975, n - 1) * (n - 1) / n**0.5 * np.std(without, ddof=1)
    return difference_of_two((variance, variance - half, variance + half))


def variance_between(values):
    """The variance between the true means of the columns of `values`, a line for each seed.

    What two seeds have in common is the truth, for their noise is independent: it is the mean
    covariance of two lines, over all pairs of them. Unbiased; below 0 by chance.
    """
    covariance = np.cov(values)
    n = len(values)
    return (covariance.sum() - covariance.trace()) / (n * (n - 1))


def difference_of_two(variances):
    """The typical difference of two, sqrt(2) standard deviations, for each variance; 0 if below."""
    return [math.nan if math.isnan(v) else math.sqrt(2 * max(0.0, v)) for v in variances]
