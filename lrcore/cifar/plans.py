"""Which runs a comparison consists of, and in which order they are made."""

from dataclasses import dataclass, field
from typing import NamedTuple

from lrcore.cifar.entries import COOLDOWNS, DEFAULTS, FAIR, HORIZON, TUNED_AS

# Seeds start at another number where one chooses and the other judges. Fair runs and those with an
# unknown horizon share theirs, and with them their batches: they can be compared run by run.
FIRST_SEED = {"defaults": 100, "tuning": 200, "fair": 300, "horizon": 300}
SEEDS_AT_MOST = 100  # more of one experiment would be those of the next
# what a plan compares if it does not say: WSD has one cooldown there
BROAD = tuple(name for name in FAIR if name not in COOLDOWNS)
REFERENCES = ("constant", "cosine_annealing_lr")  # what every final is compared with
NETWORKS = ("convolutional", "transformer")
CHANCE = 10.0  # percent: what guessing one of ten classes gives, and what a diverged run counts as


class Run(NamedTuple):
    """What tells one run of a plan from all others. `peak_lr` is the rate that is tuned."""

    experiment: str  # a key of entries.EXPERIMENTS
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

    The fields `defaults`, `tuning`, `fair`, `horizon` and `finals` map a budget in epochs to a
    number of seeds. A run of the last three takes the rate that did best on the validation images
    at the largest tuned budget that is not above its own.

    Args:
        name: a name, which the rows bear.
        about: what the plan is for, in a few words.
        network: "convolutional" or "transformer".
        widths: the channels of the convolutional network, as in `networks.network`.
        stride: that of its first convolution, 1 or 2.
        optimizer: "SGD" or "AdamW". What it gets besides the rate stands in
            `training.OPTIMIZERS`.
        batch_size: images in a batch.
        data: where the images are, as in `load`, if `run` is not told otherwise.
        schedulers: the names of those that take part, keys of `entries.FAIR`.
        rates: the peak rates that are tried. With a single one there is nothing to tune.
        default_rate: the optimizer's rate in runs of `defaults`.
        defaults: runs of the schedulers of `entries.DEFAULTS` as they come, at one rate.
        tuning: runs of each scheduler at each rate, judged on the validation images.
        fair: runs of each scheduler at its best rate, judged on the test images.
        horizon: runs that ask what to do if the length of the run is not known.
        finals: as `fair`, but only for the schedulers that are best on the validation images of
            the largest tuned budget, and for the constant rate and cosine beside them.
        finalists: how many of the best take part in the finals.
        primary: (scheduler, budget in epochs): the one comparison with cosine that the plan is made
            for. It is fixed before any run is made, so its p-value needs no correction for having
            been picked.

    Raises:
        ValueError: a plan that cannot be completed.

    Example:
        >>> plan = Plan("mine", "one against cosine", rates=(0.1,), fair={2: 5},
        ...             schedulers=("linear_lr", "cosine_annealing_lr"))
        >>> [run.name for run in plan.runs(rows=[])][:2]
        ['fair-linear_lr-2ep-lr0.1-seed300', 'fair-cosine_annealing_lr-2ep-lr0.1-seed300']
        >>> plan.all_epochs
        20
    """

    name: str
    about: str
    network: str = "convolutional"
    widths: tuple[int, ...] = (24, 64, 256, 256)
    stride: int = 1
    optimizer: str = "SGD"
    batch_size: int = 500
    data: str | None = None
    schedulers: tuple[str, ...] = BROAD
    rates: tuple[float, ...] = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
    default_rate: float = 0.1
    defaults: dict[int, int] = field(default_factory=dict)
    tuning: dict[int, int] = field(default_factory=dict)
    fair: dict[int, int] = field(default_factory=dict)
    horizon: dict[int, int] = field(default_factory=dict)
    finals: dict[int, int] = field(default_factory=dict)
    finalists: int = 5
    primary: tuple[str, int] | None = None

    def __post_init__(self):
        self._check_names()
        self._check_budgets()
        self._check_tuning()
        if self.finals and (not self.tuning or set(self.fair) & set(self.finals)):
            raise ValueError(
                f"finals={self.finals}: allowed are budgets that fair={self.fair} has not, "
                "and none without tuning, which chooses who takes part"
            )
        if self.primary is not None:
            scheduler, epochs = self.primary
            if scheduler not in self.schedulers or epochs not in self.fair:
                raise ValueError(
                    f"primary={self.primary}: allowed are a scheduler of the plan and a budget of "
                    f"fair={self.fair}"
                )

    def _check_names(self):
        for name in self.schedulers:
            if name not in FAIR:
                raise ValueError(f"schedulers has {name!r}: allowed are {', '.join(FAIR)}")
        if self.network not in NETWORKS:
            raise ValueError(f"network={self.network!r}: allowed are {', '.join(NETWORKS)}")
        if not self.rates or min(self.rates) <= 0:
            raise ValueError(f"rates={self.rates}: allowed are one or more, all above 0")
        if len(set(self.rates)) < len(self.rates):
            raise ValueError(f"rates={self.rates}: allowed is each rate once")

    def _check_budgets(self):
        for part in ("defaults", "tuning", "fair", "horizon", "finals"):
            budgets = getattr(self, part)
            if any(epochs < 1 or not 1 <= n <= SEEDS_AT_MOST for epochs, n in budgets.items()):
                raise ValueError(
                    f"{part}={budgets}: allowed are budgets of 1 epoch or more, "
                    f"with 1 to {SEEDS_AT_MOST} seeds each"
                )

    def _check_tuning(self):
        judged = [*self.fair, *self.horizon, *self.finals]
        if judged and not self.tuning and len(self.rates) > 1:
            raise ValueError(f"rates={self.rates}: allowed is one alone, since nothing is tuned")
        if judged and self.tuning and min(judged) < min(self.tuning):
            raise ValueError(
                f"tuning={self.tuning}: allowed is a smallest budget of at most {min(judged)}, "
                "since runs of that many epochs need a tuned rate"
            )
        missing = set(TUNED_AS.values()) - set(self.schedulers)
        if self.horizon and missing:
            raise ValueError(
                f"horizon={self.horizon}: allowed is none without {', '.join(sorted(missing))} "
                "among the schedulers, whose rates it takes"
            )

    def runs(self, rows):
        """All runs whose settings are known, in order, given the rows recorded so far.

        Judged runs appear once the rate of their scheduler is tuned. Budgets come in rising order,
        and within one all schedulers get their first seed before any gets its second: what is
        there when time is up is a balanced comparison.
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
        runs += self._judged("fair", self.fair, self.schedulers, rates)
        runs += self._judged("horizon", self.horizon, HORIZON, rates)
        return runs + self._judged("fair", self.finals, self.best_schedulers(rows), rates)

    def _judged(self, experiment, budgets, schedulers, rates):
        runs = []
        for epochs, seed in seeds(experiment, budgets):
            for scheduler in schedulers:
                tuned = (TUNED_AS.get(scheduler, scheduler), self.tuned_at(epochs))
                if tuned in rates:
                    runs.append(Run(experiment, scheduler, epochs, rates[tuned], seed))
        return runs

    def tuned_at(self, epochs):
        """The budget whose tuned rates a judged run of `epochs` takes; None without tuning."""
        return max((budget for budget in self.tuning if budget <= epochs), default=None)

    def tuned_rates(self, rows):
        """The rate for each (scheduler, budget) whose tuning runs are all there.

        It is the one with the highest mean accuracy on the validation images, and the lowest of
        those that tie. A diverged run counts as chance.
        """
        if not self.tuning:
            return {(scheduler, None): self.rates[0] for scheduler in self.schedulers}
        return {key: max(totals, key=totals.get) for key, totals in self._totals(rows).items()}

    def _totals(self, rows):
        """{(scheduler, budget): {rate: accuracies added up}} where all tuning runs are there."""
        recorded = accuracies(rows)
        totals = {}
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
                    totals[scheduler, epochs] = {rate: sum(arm) for rate, arm in arms.items()}
        return totals

    def best_schedulers(self, rows):
        """Those of the finals, once all tuning runs are recorded; until then there are none.

        They are the best on the validation images, each at its best rate at the largest tuned
        budget, beside the constant rate and cosine. The test images have no say: they judge.
        """
        totals = self._totals(rows)
        if not self.finals or len(totals) < len(self.schedulers) * len(self.tuning):
            return []
        best_of = {name: max(totals[name, max(self.tuning)].values()) for name in self._rivals}
        best = sorted(best_of, key=best_of.get, reverse=True)[: self.finalists]
        return [name for name in self.schedulers if name in (*best, *REFERENCES)]

    @property
    def _rivals(self):
        """The schedulers that the finalists are chosen from."""
        return [name for name in self.schedulers if name not in REFERENCES]

    @property
    def longest(self):
        """The largest budget in the plan, in epochs."""
        parts = (self.defaults, self.tuning, self.fair, self.horizon, self.finals)
        return max((epochs for part in parts for epochs in part), default=1)

    @property
    def shortest(self):
        """The smallest budget in the plan, in epochs."""
        parts = (self.defaults, self.tuning, self.fair, self.horizon, self.finals)
        return min((epochs for part in parts for epochs in part), default=1)

    @property
    def all_epochs(self):
        """Epochs of training in the whole plan, for the time left."""
        references = len(self.schedulers) - len(self._rivals)
        many = {
            "defaults": len(DEFAULTS),
            "tuning": len(self.rates) * len(self.schedulers),
            "fair": len(self.schedulers),
            "horizon": len(HORIZON),
            "finals": references + min(self.finalists, len(self._rivals)),
        }
        return sum(
            epochs * number * many[part]
            for part in many
            for epochs, number in getattr(self, part).items()
        )


def accuracies(rows):
    """{run: its accuracy} of all rows, in percent; a diverged run counts as chance."""
    return {run_of(row): CHANCE if row["accuracy"] is None else row["accuracy"] for row in rows}


def run_of(row):
    """The run that a row is the result of. Raises KeyError if it is no such row."""
    return Run(*(row[name] for name in Run._fields))


def seeds(experiment, budgets):
    """(epochs, seed) for all seeds of {epochs: number of seeds}, the cheapest budget first."""
    first = FIRST_SEED[experiment]
    return [
        (epochs, seed)
        for epochs in sorted(budgets)
        for seed in range(first, first + budgets[epochs])
    ]


SIX = (
    "constant",
    "cosine_annealing_lr",
    "linear_lr",
    "one_cycle_lr",
    "warmup_cosine",
    "warmup_stable_decay",
)
# three schedules, each without and with a warm-up
WARMUPS = (
    "constant",
    "warmup_constant",
    "cosine_annealing_lr",
    "warmup_cosine",
    "linear_lr",
    "warmup_linear",
)
SMALL = {"widths": (8, 8, 16, 32), "stride": 2, "batch_size": 125}

# the plans that `run` and the command line know by name
PLANS = {
    plan.name: plan
    for plan in [
        Plan(
            "fair",
            "every scheduler at its own best rate, at two budgets (minutes on a fast GPU)",
            widths=(16, 32, 64, 128),
            stride=2,
            tuning={4: 2, 16: 2},
            fair={4: 10, 16: 10},
            horizon={16: 10},
            primary=("warmup_stable_decay", 16),
        ),
        Plan(
            "defaults",
            "every scheduler as it comes, at one rate",
            widths=(16, 32, 64, 128),
            stride=2,
            defaults={8: 5},
        ),
        Plan(
            "adamw",
            "six schedulers with AdamW instead of SGD",
            widths=(16, 32, 64, 128),
            stride=2,
            optimizer="AdamW",
            schedulers=SIX,
            rates=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032),
            tuning={8: 2},
            fair={8: 10},
            primary=("warmup_stable_decay", 8),
        ),
        Plan(
            "transformer",
            "three schedules without and with a warm-up on a small Transformer",
            network="transformer",
            optimizer="AdamW",
            batch_size=125,
            schedulers=WARMUPS,
            rates=(0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016),
            tuning={1: 2},
            fair={1: 10},
            primary=("warmup_cosine", 1),
        ),
        Plan(
            "confirmation",
            "six schedulers on the full network (2 million weights)",
            schedulers=SIX,
            rates=(0.05, 0.1, 0.2, 0.4),
            tuning={4: 1},
            fair={4: 5},
            primary=("warmup_stable_decay", 4),
        ),
        Plan(
            "small",
            "as fair and defaults, with a narrow network (an hour or two on a CPU)",
            **SMALL,
            defaults={2: 3},
            tuning={2: 2},
            fair={2: 10},
            horizon={2: 10},
            primary=("warmup_stable_decay", 2),
        ),
        Plan(
            "cooldowns",
            "WSD with three cooldowns against cosine (half an hour on a CPU)",
            **SMALL,
            schedulers=("cosine_annealing_lr", "warmup_stable_decay", *COOLDOWNS),
            rates=(0.05, 0.1, 0.2, 0.4, 0.8),
            tuning={4: 2},
            fair={4: 10},
            primary=("wsd_1_sqrt", 4),
        ),
        Plan(
            "demo",
            "a constant rate against cosine on the sample (half a minute on a CPU)",
            **SMALL,
            data="sample",
            schedulers=("constant", "cosine_annealing_lr"),
            rates=(0.05,),
            fair={4: 3},
        ),
    ]
}
