"""Which runs a plan asks for, in which order, given what is recorded; what the new entries do."""

import re
import zlib
from collections import Counter
from dataclasses import replace
from itertools import groupby

import pytest
import torch
from tiny_cifar import curve, tiny_data

from lrcore.cifar.entries import (
    COOLDOWNS,
    DEFAULTS,
    EXPERIMENTS,
    FAIR,
    HORIZON,
    MIN_STEPS,
    TUNED_AS,
)
from lrcore.cifar.networks import pictures
from lrcore.cifar.plans import BROAD, CHANCE, PLANS, REFERENCES, Plan, Run, run_of
from lrcore.cifar.training import Setup, train

PLAN = Plan(
    "whole",
    "all that a plan can have",
    schedulers=(
        "constant",
        "step_lr",
        "linear_lr",
        "exponential_lr",
        "cosine_annealing_lr",
        "warmup_stable_decay",
    ),
    rates=(0.1, 0.2, 0.4),
    defaults={4: 2, 2: 3},
    tuning={8: 2, 2: 2},
    fair={16: 4, 2: 3, 8: 2},
    horizon={16: 2, 4: 3},
    finals={32: 5},
    finalists=2,
)
ALL_PLANS = [pytest.param(plan, id=plan.name) for plan in [PLAN, *PLANS.values()]]


def accuracy_of(run):
    """Some accuracy: between 10 and 90, the same whenever it is asked for."""
    return 10 + zlib.crc32(run.name.encode()) % 8000 / 100


def row(run, accuracy=accuracy_of):
    return {**run._asdict(), "accuracy": accuracy(run)}


def complete(plan, accuracy=accuracy_of):
    """The rows of a completed plan, in the order in which they were made."""
    rows, done = [], set()
    while pending := [run for run in plan.runs(rows) if run not in done]:
        rows.append(row(pending[0], accuracy))
        done.add(pending[0])
    return rows


def all_at_once(plan):
    """The rows of a completed plan, all that are asked for made at once."""
    rows = []
    for _ in range(2):  # tuning and defaults; then those that judge
        rows = [row(run) for run in plan.runs(rows)]
    return rows


def runs_of(rows):
    return [run_of(row) for row in rows]


def rates_of(plan, rows, experiment="fair"):
    """{(scheduler, epochs): rate} of the runs of an experiment that are asked for."""
    return {
        (run.scheduler, run.epochs): run.peak_lr
        for run in plan.runs(rows)
        if run.experiment == experiment
    }


@pytest.fixture(scope="module")
def rows():
    return complete(PLAN)


# ---------------------------------------------------------------------- all of it


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_all_epochs_is_the_sum_over_the_runs_of_a_completed_plan(plan):
    rows = all_at_once(plan)
    runs = runs_of(rows)
    assert plan.runs(rows) == runs, "there is nothing more to come"
    assert sum(run.epochs for run in runs) == plan.all_epochs > 0


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_names_are_unique_and_usable_as_file_names(plan):
    runs = runs_of(all_at_once(plan))
    names = [run.name for run in runs]
    assert len({name.lower() for name in names}) == len(names) == len(set(runs))
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name) and not name.startswith(".")
        assert len(name) < 100


def test_the_name_says_what_the_run_is():
    run = Run("fair", "step_lr", 8, 0.0125, 301)
    assert run.name == "fair-step_lr-8ep-lr0.0125-seed301"


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_one_by_one_and_all_at_once_come_to_the_same(plan):
    if plan.schedulers == BROAD:  # more than a thousand runs would take a minute
        few = ("constant", "cosine_annealing_lr", "warmup_stable_decay")
        plan = replace(plan, schedulers=few, rates=(0.1, 0.2))
    rows = complete(plan)
    assert sorted(runs_of(rows)) == sorted(plan.runs(rows))


def test_finished_runs_are_asked_for_again_in_the_same_order(rows):
    """So that `missing` is the list without them, and nothing moves while a plan is made."""
    order = runs_of(rows)
    for count in range(0, len(rows), 7):
        asked = PLAN.runs(rows[:count])
        assert asked[: count + 1] == order[: count + 1]
        assert asked == [run for run in order if run in set(asked)]


# ---------------------------------------------------------------------- the order


def test_experiments_and_budgets_come_in_order(rows):
    blocks = [key for key, _ in groupby(runs_of(rows), lambda run: (run.experiment, run.epochs))]
    assert blocks == [
        ("defaults", 2),
        ("defaults", 4),
        ("tuning", 2),
        ("tuning", 8),
        ("fair", 2),
        ("fair", 8),
        ("fair", 16),
        ("horizon", 4),
        ("horizon", 16),
        ("fair", 32),
    ]


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_it_is_balanced_wherever_it_stops(plan):
    """All schedulers get their first seed before any gets its second, at each budget and rate."""
    blocks = groupby(runs_of(all_at_once(plan)), lambda run: (run.experiment, run.epochs))
    blocks = [(key, list(block)) for key, block in blocks]
    assert len(blocks) == len({key for key, _ in blocks}), "one after the other"
    for _, block in blocks:
        members = {(run.scheduler, run.peak_lr) for run in block}
        made = dict.fromkeys(members, 0)
        assert len(members) >= 2
        for run in block:
            made[run.scheduler, run.peak_lr] += 1
            assert max(made.values()) - min(made.values()) <= 1
        assert len(set(made.values())) == 1


def test_each_experiment_has_the_seeds_that_were_asked_for(rows):
    counts = Counter((run.experiment, run.epochs, run.seed) for run in runs_of(rows))
    seeds = {}
    for experiment, epochs, seed in counts:
        seeds.setdefault((experiment, epochs), []).append(seed)
    assert seeds == {
        ("defaults", 2): [100, 101, 102],
        ("defaults", 4): [100, 101],
        ("tuning", 2): [200, 201],
        ("tuning", 8): [200, 201],
        ("fair", 2): [300, 301, 302],
        ("fair", 8): [300, 301],
        ("fair", 16): [300, 301, 302, 303],
        ("horizon", 4): [300, 301, 302],
        ("horizon", 16): [300, 301],
        ("fair", 32): [300, 301, 302, 303, 304],
    }


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_seeds_that_tuned_never_judge(plan):
    runs = runs_of(all_at_once(plan))
    seeds = {name: {run.seed for run in runs if run.experiment == name} for name in EXPERIMENTS}
    # fair runs and those with an unknown horizon share theirs: they are compared run by run
    apart = [seeds["defaults"], seeds["tuning"], seeds["fair"] | seeds["horizon"]]
    assert sum(map(len, apart)) == len(set.union(*apart))
    if seeds["horizon"]:
        assert seeds["horizon"] <= seeds["fair"]


def test_defaults_have_all_schedulers_at_one_rate(rows):
    runs = [run for run in runs_of(rows) if run.experiment == "defaults"]
    assert {run.scheduler for run in runs} == set(DEFAULTS)
    assert {run.peak_lr for run in runs} == {0.1}
    assert len(runs) == 5 * len(DEFAULTS)


# ---------------------------------------------------------------------- tuned rates


def tuning_rows(accuracies, scheduler="step_lr", epochs=2):
    """Rows of tuning runs, from {rate: [accuracy of each seed]}."""
    return [
        {**Run("tuning", scheduler, epochs, rate, 200 + i)._asdict(), "accuracy": accuracy}
        for rate, values in accuracies.items()
        for i, accuracy in enumerate(values)
    ]


@pytest.mark.parametrize(
    "accuracies, best",
    [
        ({0.1: [50, 50], 0.2: [60, 41], 0.4: [40, 40]}, 0.2),  # the mean decides, not the best seed
        ({0.1: [50, 50], 0.2: [70, 20], 0.4: [40, 40]}, 0.1),
        ({0.1: [40, 40], 0.2: [50, 50], 0.4: [60, 40]}, 0.2),  # of a tie the lowest
        ({0.4: [60, 40], 0.2: [50, 50], 0.1: [40, 40]}, 0.2),  # in whatever order they were made
        # one that diverged counts as chance, which is 10
        ({0.1: [50, 50], 0.2: [89, None], 0.4: [40, 40]}, 0.1),
        ({0.1: [50, 50], 0.2: [91, None], 0.4: [40, 40]}, 0.2),
        ({0.1: [50, None], 0.2: [90, None], 0.4: [40, 40]}, 0.2),
        ({0.1: [9, 10], 0.2: [9, 10], 0.4: [None, None]}, 0.4),
        ({0.1: [None, None], 0.2: [None, None], 0.4: [10, 11]}, 0.4),
        ({0.1: [None, None], 0.2: [None, None], 0.4: [10, 10]}, 0.1),
        ({0.1: [None, None], 0.2: [None, None], 0.4: [None, None]}, 0.1),
    ],
)
def test_the_rate_with_the_best_mean_is_taken(accuracies, best):
    rows = tuning_rows(accuracies)
    assert PLAN.tuned_rates(rows) == {("step_lr", 2): best}
    assert rates_of(PLAN, rows) == {("step_lr", 2): best}


@pytest.mark.parametrize("lacking", range(6))
def test_a_scheduler_is_tuned_only_once_all_of_its_runs_are_there(lacking):
    rows = tuning_rows({0.1: [50, 50], 0.2: [60, 60], 0.4: [40, 40]})
    del rows[lacking]
    assert PLAN.tuned_rates(rows) == {}
    assert rates_of(PLAN, rows) == {}


def test_a_fair_run_takes_the_rate_of_the_largest_tuned_budget_not_above_its_own():
    low, high = {0.1: [9, 9], 0.2: [1, 1], 0.4: [1, 1]}, {0.1: [1, 1], 0.2: [1, 1], 0.4: [9, 9]}
    rows = tuning_rows(low, epochs=2)
    assert rates_of(PLAN, rows) == {("step_lr", 2): 0.1}
    rows += tuning_rows(high, epochs=8)
    wanted = {("step_lr", 2): 0.1, ("step_lr", 8): 0.4, ("step_lr", 16): 0.4}
    assert rates_of(PLAN, rows) == wanted


def test_runs_of_other_plans_do_not_choose_a_rate():
    rows = tuning_rows({0.1: [50, 50], 0.2: [60, 60], 0.4: [40, 40]})
    others = tuning_rows({0.1: [0, 0, 99], 0.8: [99, 99]})[2:]  # another seed, another rate
    others += tuning_rows({0.1: [99, 99]}, epochs=4)
    assert PLAN.tuned_rates(others + rows) == {("step_lr", 2): 0.2}


def test_a_single_rate_needs_no_tuning():
    plan = replace(PLAN, tuning={}, rates=(0.3,), finals={})
    for experiment, number in (("fair", 3 * len(PLAN.schedulers)), ("horizon", 2 * len(HORIZON))):
        rates = rates_of(plan, [], experiment)
        assert len(rates) == number and set(rates.values()) == {0.3}
    assert {run.experiment for run in plan.runs([])} == {"defaults", "fair", "horizon"}


def test_runs_with_an_unknown_horizon_take_the_rate_of_the_schedule_they_vary():
    """At the largest tuned budget not above their own, as the fair runs do."""
    assert TUNED_AS.keys() == HORIZON.keys()
    rows = []
    for scheduler, (low, high) in {
        "cosine_annealing_lr": (0.1, 0.4),
        "warmup_stable_decay": (0.2, 0.1),
        "constant": (0.4, 0.2),
    }.items():
        for epochs, best in ((2, low), (8, high)):
            accuracies = {rate: [90 if rate == best else 50] * 2 for rate in PLAN.rates}
            rows += tuning_rows(accuracies, scheduler, epochs)
    cosine, wsd = {4: 0.1, 16: 0.4}, {4: 0.2, 16: 0.1}
    wanted = {
        "cosine_planned_right": cosine,
        "cosine_planned_double": cosine,
        "wsd_planned_right": wsd,
        "wsd_from_checkpoint": wsd,
        "wsd_not_cooled": wsd,
    }
    assert rates_of(PLAN, rows, "horizon") == {
        (name, epochs): rate for name, rates in wanted.items() for epochs, rate in rates.items()
    }


def test_runs_with_an_unknown_horizon_wait_for_their_schedule_alone():
    rows = tuning_rows({rate: [50, 50] for rate in PLAN.rates}, "warmup_stable_decay")
    asked = rates_of(PLAN, rows, "horizon")
    assert set(asked) == {(name, 4) for name in HORIZON if name.startswith("wsd")}


# ---------------------------------------------------------------------- finals


def finals(rows):
    return [run for run in PLAN.runs(rows) if run.epochs == 32]


def test_finals_come_last_and_once_all_is_tuned(rows):
    first = next(i for i, row in enumerate(rows) if row["epochs"] == 32)
    assert {row["epochs"] for row in rows[first:]} == {32}
    tuning = [row for row in rows if row["experiment"] == "tuning"]
    assert len(tuning) == 6 * 3 * (2 + 2)
    assert len(finals(tuning)) == 5 * 4
    for row in tuning:  # without any of them there are none yet
        assert not finals([other for other in tuning if other is not row])


def tuned(accuracies, epochs, rate=0.2):
    """Rows of all tuning runs: these accuracies at one budget and rate, else chance."""

    def accuracy(run):
        there = run.epochs == epochs and run.peak_lr == rate
        return accuracies[run.scheduler] if there else CHANCE

    return [row(run, accuracy) for run in PLAN.runs([])]


@pytest.mark.parametrize(
    "accuracies, finalists",
    [
        ([50, 90, 80, 70, 60, 10], ["step_lr", "linear_lr"]),
        ([90, 50, 60, 70, 80, 65], ["exponential_lr", "warmup_stable_decay"]),
        ([11, None, 60, 9, 12, 13], ["linear_lr", "warmup_stable_decay"]),  # one diverged
        ([11, 20, 20, 20, 12, 13], ["step_lr", "linear_lr"]),  # of a tie the first
    ],
)
@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_finalists_are_the_best_on_the_validation_images(accuracies, finalists, rate):
    """Each at its own best rate; and the two references beside them, however good they are."""
    by_name = dict(zip(PLAN.schedulers, accuracies, strict=True))
    best = PLAN.best_schedulers(tuned(by_name, 8, rate))
    assert best == [name for name in PLAN.schedulers if name in {*REFERENCES, *finalists}]
    asked = finals(tuned(by_name, 8, rate))
    assert [run.scheduler for run in asked] == 5 * best


def test_finalists_are_chosen_at_the_largest_tuned_budget_alone():
    """A scheduler that is good in short runs only has no place in long ones."""
    long = dict(zip(PLAN.schedulers, [50, 40, 60, 70, 45, 55], strict=True))
    short = dict(zip(PLAN.schedulers, [50, 99, 98, 11, 45, 97], strict=True))
    rows = [row for row in tuned(long, 8) if row["epochs"] == 8]
    rows += [row for row in tuned(short, 2) if row["epochs"] == 2]
    wanted = ["constant", "linear_lr", "exponential_lr", "cosine_annealing_lr"]
    assert PLAN.best_schedulers(rows) == wanted


@pytest.mark.parametrize("seed", range(5))
def test_test_images_choose_nothing(rows, seed):
    """Whatever they gave, the same runs are asked for: they judge, and so must not choose."""

    def other(run):
        return [0.0, None, 100.0, accuracy_of(run)][zlib.crc32(f"{seed}{run.name}".encode()) % 4]

    changed = [
        row if row["experiment"] == "tuning" else {**row, "accuracy": other(run_of(row))}
        for row in rows
    ]
    assert changed != rows
    assert PLAN.runs(changed) == PLAN.runs(rows) == runs_of(rows)
    without = [row for row in rows if row["experiment"] == "tuning"]
    assert PLAN.runs(without) == PLAN.runs(rows)
    assert PLAN.best_schedulers(changed) == PLAN.best_schedulers(rows)
    # and the rows of tuning do choose
    assert PLAN.runs([row for row in rows if row["experiment"] != "tuning"]) != PLAN.runs(rows)


# ---------------------------------------------------------------------- the plans of the book


def test_the_plans_are_those_of_the_chapter():
    names = ["fair", "defaults", "adamw", "transformer", "confirmation", "small"]
    names += ["cooldowns", "demo"]
    assert list(PLANS) == names
    assert all(plan.about for plan in PLANS.values())
    for name in ("fair", "small"):
        assert PLANS[name].schedulers == BROAD
    assert sorted(BROAD + COOLDOWNS) == sorted(FAIR)
    assert min([*PLANS["small"].fair.values(), *PLANS["small"].defaults.values()]) >= 3
    for name in ("fair", "adamw", "transformer", "small"):
        assert len(PLANS[name].rates) == 7
        assert min(PLANS[name].fair.values()) >= 10
    assert list(PLANS["fair"].fair) == list(PLANS["fair"].tuning) == [4, 16]
    assert (PLANS["adamw"].optimizer, PLANS["adamw"].network) == ("AdamW", "convolutional")
    assert PLANS["transformer"].network == "transformer"
    assert PLANS["confirmation"].widths == (24, 64, 256, 256)
    assert len(PLANS["demo"].schedulers) == 2 and PLANS["demo"].data == "sample"


TUNED = [pytest.param(plan, id=plan.name) for plan in PLANS.values() if plan.tuning]


@pytest.mark.parametrize("plan", TUNED)
def test_rates_double_and_the_same_seeds_tune_all(plan):
    ratios = [b / a for a, b in zip(plan.rates, plan.rates[1:], strict=False)]
    assert ratios == pytest.approx([2.0] * len(ratios))
    assert set(plan.fair) <= set(plan.tuning), "each judged budget is tuned itself"


@pytest.mark.parametrize("plan", TUNED)
def test_a_plan_that_judges_has_one_primary_comparison_with_cosine(plan):
    scheduler, epochs = plan.primary
    assert scheduler != "cosine_annealing_lr" and "cosine_annealing_lr" in plan.schedulers
    assert epochs == max(plan.fair)


@pytest.mark.parametrize("plan", [pytest.param(plan, id=plan.name) for plan in PLANS.values()])
def test_the_shortest_run_has_enough_steps(plan):
    images = 4_500 if plan.data == "sample" else 45_000
    assert plan.shortest * (images // plan.batch_size) >= MIN_STEPS


@pytest.mark.parametrize(
    "change, words",
    [
        ({"schedulers": ("constant", "cosine")}, ["schedulers", "'cosine'", "cosine_annealing_lr"]),
        ({"rates": ()}, ["rates=()", "one or more"]),
        ({"rates": (0.1, -0.2)}, ["rates=(0.1, -0.2)", "above 0"]),
        ({"fair": {0: 3}}, ["fair={0: 3}", "1 epoch or more"]),
        ({"defaults": {2: 0}}, ["defaults={2: 0}", "1 to 100 seeds"]),
        ({"tuning": {2: 101}}, ["tuning={2: 101}", "1 to 100 seeds"]),
        ({"tuning": {}}, ["rates=(0.1, 0.2, 0.4)", "nothing is tuned"]),
        ({"tuning": {4: 2}}, ["tuning={4: 2}", "at most 2"]),
        ({"horizon": {16: 0}}, ["horizon={16: 0}", "1 to 100 seeds"]),
        ({"schedulers": PLAN.schedulers[:-1]}, ["horizon=", "without warmup_stable_decay"]),
        ({"rates": (0.1, 0.2, 0.1)}, ["rates=(0.1, 0.2, 0.1)", "each rate once"]),
        ({"horizon": {1: 2}}, ["tuning={8: 2, 2: 2}", "at most 1"]),
        ({"fair": {}, "horizon": {}, "finals": {1: 2}}, ["tuning={8: 2, 2: 2}", "at most 1"]),
        ({"finals": {16: 2}}, ["finals={16: 2}", "fair={16: 4, 2: 3, 8: 2}"]),
        ({"tuning": {}, "rates": (0.1,)}, ["finals={32: 5}", "none without tuning"]),
        ({"network": "resnet"}, ["network='resnet'", "convolutional, transformer"]),
        ({"primary": ("step_lr", 32)}, ["primary=('step_lr', 32)", "fair={16: 4, 2: 3, 8: 2}"]),
        ({"primary": ("polynomial_lr", 16)}, ["primary=('polynomial_lr', 16)", "of the plan"]),
    ],
)
def test_a_plan_that_cannot_be_completed_is_refused(change, words):
    with pytest.raises(ValueError) as caught:
        replace(PLAN, **change)
    assert not [word for word in words if word not in str(caught.value)], caught.value


def test_a_primary_comparison_is_of_a_scheduler_and_a_budget_of_the_plan():
    assert replace(PLAN, primary=("step_lr", 16)).primary == ("step_lr", 16)


# ---------------------------------------------------------------------- entries


def set_by(entry, steps, planned=None):
    """What the entry sets in a run of `steps`: its arguments are those of one of `planned`."""
    return curve(entry, steps, 0.1, **entry.arguments(planned or steps, 0.1))


@pytest.mark.parametrize("n", [40, 100, 360, 1404])
def test_wsd_from_a_checkpoint_is_that_of_twice_the_length_up_to_its_cooldown(n):
    """So no plan was needed: whoever has a checkpoint at 3/4 of n goes on from there."""
    double = set_by(FAIR["warmup_stable_decay"], 2 * n)
    cooled = set_by(HORIZON["wsd_from_checkpoint"], n)
    branch = n - n // 4
    assert cooled.lr[: branch + 1] == double.lr[: branch + 1]
    assert cooled.lr[branch + 1] < double.lr[branch + 1] == 0.1, "there its cooldown starts"
    falls = [a - b for a, b in zip(cooled.lr[branch:], cooled.lr[branch + 1 :], strict=False)]
    assert falls == pytest.approx([0.1 / (n // 4)] * len(falls)), "straight, to 0 after the end"
    assert cooled.lr[-1] == pytest.approx(0.1 / (n // 4))
    not_cooled = set_by(HORIZON["wsd_not_cooled"], n)
    assert not_cooled.lr == pytest.approx(double.lr[:n], rel=1e-12)


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_a_run_of_wsd_from_a_checkpoint_is_the_long_run_up_to_its_cooldown(float64, one_thread):
    """Not only the rates: the weights, bit by bit. So no checkpoint has to be kept on a disk."""
    setup = Setup(pictures((2, 2, 2, 4), 2), "SGD", 10, torch.float64)
    data = tiny_data(train=100)  # 10 steps an epoch
    n, branch = 40, 30

    def weights_along(entry, epochs):
        along = []

        def make_scheduler(optimizer):
            weights = optimizer.param_groups[0]["params"]
            optimizer.register_step_post_hook(
                lambda *args: along.append(torch.cat([w.detach().flatten() for w in weights]))
            )
            return entry.make(optimizer, **entry.arguments(10 * epochs, 0.1))

        outcome = train(data, setup, make_scheduler, epochs=epochs, lr=0.1, seed=3)
        assert len(along) == len(outcome.lr) == 10 * epochs
        return along, outcome

    short, cooled = weights_along(HORIZON["wsd_from_checkpoint"], n // 10)
    long, double = weights_along(FAIR["warmup_stable_decay"], 2 * n // 10)
    # step 30 is the first that could differ, and its rate is still the same
    assert all(torch.equal(a, b) for a, b in zip(short[: branch + 1], long, strict=False))
    assert cooled.lr[: branch + 1] == double.lr[: branch + 1]
    assert not torch.equal(short[branch + 1], long[branch + 1])


@pytest.mark.parametrize("n", [40, 101, 1404])
def test_cosine_planned_for_twice_the_length_is_the_first_half_of_that_cosine(n):
    double = set_by(FAIR["cosine_annealing_lr"], 2 * n)
    stopped = set_by(HORIZON["cosine_planned_double"], n)
    assert stopped.lr == double.lr[:n]
    assert stopped.lr[-1] > 0.05, "it was stopped half way down"
    right = set_by(HORIZON["cosine_planned_right"], n)
    assert right == set_by(FAIR["cosine_annealing_lr"], n)
    assert right.lr[-1] < 0.001


def test_what_was_planned_right_is_the_schedule_of_the_fair_test():
    assert HORIZON["cosine_planned_right"] is FAIR["cosine_annealing_lr"]
    assert HORIZON["wsd_planned_right"] is FAIR["warmup_stable_decay"]


@pytest.mark.parametrize("name", list(FAIR))
def test_the_momentum_stays_but_in_the_rows_that_say_so(name):
    """Else two schedulers alone would have a second thing that is scheduled."""
    momentum = set_by(FAIR[name], 360).momentum
    if name in ("cyclic_momentum", "one_cycle_momentum"):
        assert 0.8 <= min(momentum) < max(momentum) <= 0.95
        assert max(momentum) - min(momentum) >= 0.0999
    else:
        assert set(momentum) == {0.9}


@pytest.mark.parametrize("name", ["cyclic", "one_cycle"])
def test_with_and_without_the_momentum_the_rates_are_the_same(name):
    plain, moved = set_by(FAIR[f"{name}_lr"], 360), set_by(FAIR[f"{name}_momentum"], 360)
    assert plain.lr == moved.lr
    assert plain.momentum != moved.momentum
