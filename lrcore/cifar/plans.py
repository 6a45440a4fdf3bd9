"""Which runs a comparison consists of, and in which order they are made."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from lrcore.cifar.entries import DEFAULTS, FAIR

# Seeds start at another number in each experiment: one that chose a rate never judges it.
FIRST_SEED = {"defaults": 100, "tuning": 200, "fair": 300}


class Run(NamedTuple):
    """What tells one run of a plan from all others. `peak_lr` is the rate that is tuned."""

    experiment: str  # "defaults", "tuning" or "fair"
    scheduler: str
    epochs: int
    peak_lr: float
    seed: int

    @property
    def name(self):
        """A name for the run's file."""
        return "-".join(
            [self.experiment, self.scheduler, f"{self.epochs}ep", f"lr{self.peak_lr:g}"]
            + [f"seed{self.seed}"]
        )


@dataclass(frozen=True)
class Plan:
    """A comparison: the network, and how many seeds each scheduler gets at which budget.

    `defaults`, `tuning` and `fair` map a budget in epochs to a number of seeds; `tuning` has that
    many for each of `rates`. A fair run takes the rate that did best on the validation images at
    the largest tuned budget that is not above its own; with a single rate there is nothing to
    tune. `finals` maps budgets to seeds for the `finalists` best schedulers of the largest fair
    budget, and for the constant rate and cosine beside them.
    """

    name: str
    about: str
    widths: tuple[int, ...] = (24, 64, 256, 256)
    stride: int = 1
    batch_size: int = 500
    data: str | None = None
    schedulers: tuple[str, ...] = tuple(FAIR)
    rates: tuple[float, ...] = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
    default_rate: float = 0.1
    defaults: dict[int, int] = field(default_factory=dict)
    tuning: dict[int, int] = field(default_factory=dict)
    fair: dict[int, int] = field(default_factory=dict)
    finals: dict[int, int] = field(default_factory=dict)
    finalists: int = 5

    def runs(self, rows):
        """All runs whose settings are known, in order, given the rows recorded so far.

        Fair runs appear once the rate of their scheduler is tuned, finals once all fair runs are
        recorded. Budgets come in rising order, and within one all schedulers get their first seed
        before any gets its second: what is there when time is up is a balanced comparison.
        """
        runs = [
            Run("defaults", scheduler, epochs, self.default_rate, seed)
            for epochs, seed in seeds("defaults", self.defaults)
            for scheduler in DEFAULTS
        ]
        runs += [
            Run("tuning", scheduler, epochs, rate, seed)
            for epochs, seed in seeds("tuning", self.tuning)
            for rate in self.rates
            for scheduler in self.schedulers
        ]
        rates = self.tuned_rates(rows)
        runs += self._fair_runs(self.fair, self.schedulers, rates)
        return runs + self._fair_runs(self.finals, self.best_schedulers(rows), rates)

    def _fair_runs(self, budgets, schedulers, rates):
        return [
            Run("fair", scheduler, epochs, rates[scheduler, self.tuned_at(epochs)], seed)
            for epochs, seed in seeds("fair", budgets)
            for scheduler in schedulers
            if (scheduler, self.tuned_at(epochs)) in rates
        ]

    def tuned_at(self, epochs):
        """The budget whose tuned rates a fair run of `epochs` takes; None without tuning."""
        return max((budget for budget in self.tuning if budget <= epochs), default=None)

    def tuned_rates(self, rows):
        """The rate for each (scheduler, budget) whose tuning runs are all there.

        It is the one with the highest mean accuracy on the validation images, and the lowest of
        those that tie. A diverged run counts as accuracy 0.
        """
        if not self.tuning:
            return {(scheduler, None): self.rates[0] for scheduler in self.schedulers}
        arms = defaultdict(lambda: defaultdict(list))
        for row in rows:
            if row["experiment"] == "tuning":
                arm = arms[row["scheduler"], row["epochs"]]
                arm[row["peak_lr"]].append(row["accuracy"] or 0.0)
        best = {}
        for (scheduler, epochs), arm in arms.items():
            totals = {rate: sum(arm[rate]) for rate in self.rates}
            if all(len(arm[rate]) == self.tuning[epochs] for rate in self.rates):
                best[scheduler, epochs] = max(sorted(totals), key=totals.get)
        return best

    def best_schedulers(self, rows):
        """The finalists: the best at the largest fair budget, the constant rate, and cosine."""
        budget = max(self.fair, default=None)
        accuracies = defaultdict(list)
        for row in rows:
            if row["experiment"] == "fair" and row["epochs"] == budget:
                accuracies[row["scheduler"]].append(row["accuracy"] or 0.0)
        if any(len(accuracies[name]) != self.fair.get(budget) for name in self.schedulers):
            return []
        means = {name: sum(values) / len(values) for name, values in accuracies.items()}
        best = sorted(means, key=means.get, reverse=True)[: self.finalists]
        wanted = {*best, "constant", "cosine_annealing_lr"}
        return [name for name in self.schedulers if name in wanted]

    @property
    def all_epochs(self):
        """Epochs of training in the whole plan, for the time left."""
        many = {
            "defaults": len(DEFAULTS),
            "tuning": len(self.rates) * len(self.schedulers),
            "fair": len(self.schedulers),
            "finals": self.finalists + 2,
        }
        return sum(
            epochs * number * many[part]
            for part in many
            for epochs, number in getattr(self, part).items()
        )


def seeds(experiment, budgets):
    """(epochs, seed) for all seeds of {epochs: number of seeds}, the cheapest budget first."""
    first = FIRST_SEED[experiment]
    return [
        (epochs, seed)
        for epochs in sorted(budgets)
        for seed in range(first, first + budgets[epochs])
    ]


PLANS = {
    plan.name: plan
    for plan in [
        Plan("defaults", "every scheduler as it comes, at one rate", defaults={8: 5}),
        Plan(
            "fair",
            "every scheduler at its own best rate, at four budgets (hours on a GPU)",
            tuning={2: 2, 8: 2},
            fair={2: 10, 8: 10, 16: 10},
            finals={32: 10},
        ),
        Plan(
            "small",
            "both experiments with a narrow network (about an hour on two CPU cores)",
            widths=(8, 8, 16, 32),
            stride=2,
            batch_size=125,
            rates=(0.0125, 0.025, 0.05, 0.1),
            defaults={3: 3},
            tuning={1: 1, 3: 1},
            fair={1: 4, 3: 4},
        ),
        Plan(
            "demo",
            "a constant rate against cosine on the sample (about a minute on a CPU)",
            widths=(8, 8, 16, 32),
            stride=2,
            batch_size=125,
            data="sample",
            schedulers=("constant", "cosine_annealing_lr"),
            rates=(0.05,),
            fair={10: 3},
        ),
    ]
}
