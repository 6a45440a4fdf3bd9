"""Which runs a comparison consists of, and in which order they are made."""

from dataclasses import dataclass, field
from typing import NamedTuple

from lrcore.cifar.entries import DEFAULTS, FAIR

# Seeds start at another number in each experiment: one that chose a rate never judges it.
FIRST_SEED = {"defaults": 100, "tuning": 200, "fair": 300}
SEEDS_AT_MOST = 100  # more of one experiment would be those of the next
REFERENCES = ("constant", "cosine_annealing_lr")  # what every final is compared with


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

    Raises ValueError for a plan that cannot be completed.
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

    def __post_init__(self):
        for name in self.schedulers:
            if name not in FAIR:
                raise ValueError(f"schedulers has {name!r}: allowed are {', '.join(FAIR)}")
        if not self.rates or min(self.rates) <= 0:
            raise ValueError(f"rates={self.rates}: allowed are one or more, all above 0")
        for part in ("defaults", "tuning", "fair", "finals"):
            budgets = getattr(self, part)
            if any(epochs < 1 or not 1 <= n <= SEEDS_AT_MOST for epochs, n in budgets.items()):
                raise ValueError(
                    f"{part}={budgets}: allowed are budgets of 1 epoch or more, "
                    f"with 1 to {SEEDS_AT_MOST} seeds each"
                )
        judged = [*self.fair, *self.finals]
        if judged and not self.tuning and len(self.rates) > 1:
            raise ValueError(f"rates={self.rates}: allowed is one alone, since nothing is tuned")
        if judged and self.tuning and min(judged) < min(self.tuning):
            raise ValueError(
                f"tuning={self.tuning}: allowed is a smallest budget of at most {min(judged)}, "
                "since runs of that many epochs need a tuned rate"
            )
        if self.finals and (not self.fair or set(self.fair) & set(self.finals)):
            raise ValueError(
                f"finals={self.finals}: allowed are budgets that fair={self.fair} has not, "
                "and none without fair runs"
            )

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
        recorded = accuracies(rows)
        best = {}
        for scheduler in self.schedulers:
            for epochs, number in self.tuning.items():
                arms = {
                    rate: [
                        recorded.get(Run("tuning", scheduler, epochs, rate, seed))
                        for _, seed in seeds("tuning", {epochs: number})
                    ]
                    for rate in sorted(self.rates)
                }
                if all(None not in arm for arm in arms.values()):
                    totals = {rate: sum(arm) for rate, arm in arms.items()}
                    best[scheduler, epochs] = max(totals, key=totals.get)
        return best

    def best_schedulers(self, rows):
        """Those of the finals, once all fair runs are recorded; until then there are none.

        They are the best of the largest fair budget, the constant rate, and cosine.
        """
        runs = self._fair_runs(self.fair, self.schedulers, self.tuned_rates(rows))
        recorded = accuracies(rows)
        everything = len(self.schedulers) * sum(self.fair.values())
        if len(runs) < everything or any(run not in recorded for run in runs):
            return []
        totals = dict.fromkeys(self._rivals, 0.0)
        for run in runs:
            if run.epochs == max(self.fair) and run.scheduler in totals:
                totals[run.scheduler] += recorded[run]
        best = sorted(totals, key=totals.get, reverse=True)[: self.finalists]
        return [name for name in self.schedulers if name in (*best, *REFERENCES)]

    @property
    def _rivals(self):
        """The schedulers that the finalists are chosen from."""
        return [name for name in self.schedulers if name not in REFERENCES]

    @property
    def all_epochs(self):
        """Epochs of training in the whole plan, for the time left."""
        references = len(self.schedulers) - len(self._rivals)
        many = {
            "defaults": len(DEFAULTS),
            "tuning": len(self.rates) * len(self.schedulers),
            "fair": len(self.schedulers),
            "finals": references + min(self.finalists, len(self._rivals)),
        }
        return sum(
            epochs * number * many[part]
            for part in many
            for epochs, number in getattr(self, part).items()
        )


def accuracies(rows):
    """{run: its accuracy} of all rows, in percent; a diverged run counts as 0."""
    return {Run(*(row[name] for name in Run._fields)): row["accuracy"] or 0.0 for row in rows}


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
            rates=(0.025, 0.05, 0.1, 0.2, 0.4),
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
            fair={8: 3},
        ),
    ]
}
