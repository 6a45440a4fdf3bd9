"""Which runs a plan asks for, in which order, given what is recorded."""

import re
import zlib
from collections import Counter
from dataclasses import replace
from itertools import groupby

import pytest

from lrcore.cifar.entries import DEFAULTS, FAIR
from lrcore.cifar.plans import PLANS, REFERENCES, Plan, Run

PLAN = Plan(
    "whole",
    "all that a plan can have",
    schedulers=("constant", "step_lr", "linear_lr", "exponential_lr", "cosine_annealing_lr"),
    rates=(0.1, 0.2, 0.4),
    defaults={4: 2, 2: 3},
    tuning={8: 2, 2: 2},
    fair={16: 4, 2: 3, 8: 2},
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


def runs_of(rows):
    return [Run(*(row[name] for name in Run._fields)) for row in rows]


def fair_rates(plan, rows):
    """{(scheduler, epochs): rate} of the fair runs that are asked for."""
    return {
        (run.scheduler, run.epochs): run.peak_lr
        for run in plan.runs(rows)
        if run.experiment == "fair"
    }


@pytest.fixture(scope="module")
def rows():
    return complete(PLAN)


# ---------------------------------------------------------------------- all of it


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_all_epochs_is_the_sum_over_the_runs_of_a_completed_plan(plan):
    rows = []
    for _ in range(3):  # tuning and defaults; then fair runs; then finals
        rows = [row(run) for run in plan.runs(rows)]
    runs = runs_of(rows)
    assert plan.runs(rows) == runs, "there is nothing more to come"
    assert sum(run.epochs for run in runs) == plan.all_epochs > 0


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_names_are_unique_and_usable_as_file_names(plan):
    rows = []
    for _ in range(3):
        rows = [row(run) for run in plan.runs(rows)]
    runs = runs_of(rows)
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
    if plan.name == "fair":  # more than a thousand runs would take a minute
        plan = replace(plan, schedulers=plan.schedulers[:3], rates=(0.1, 0.2))
    rows = complete(plan)
    assert sorted(runs_of(rows)) == sorted(plan.runs(rows))


def test_finished_runs_are_asked_for_again_in_the_same_order(rows):
    """So that `missing` is the list without them, and nothing moves while a plan is made."""
    order = runs_of(rows)
    for count in range(0, len(rows), 7):
        asked = PLAN.runs(rows[:count])
        assert asked == order[: len(asked)]


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
        ("fair", 32),
    ]


def test_each_budget_is_balanced_wherever_it_stops(rows):
    """All schedulers get their first seed before any gets its second."""
    blocks = groupby(runs_of(rows), lambda run: (run.experiment, run.epochs))
    for _, block in blocks:
        made, block = Counter(), list(block)
        members = {(run.scheduler, run.peak_lr) for run in block}
        assert len(members) > 2
        for run in block:
            made[run.scheduler, run.peak_lr] += 1
            counts = [made[member] for member in members]
            assert max(counts) - min(counts) <= 1
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
        ("fair", 32): [300, 301, 302, 303, 304],
    }


@pytest.mark.parametrize("plan", ALL_PLANS)
def test_seeds_that_tuned_never_judge(plan):
    rows = []
    for _ in range(3):
        rows = [row(run) for run in plan.runs(rows)]
    seeds = {
        name: {run.seed for run in runs_of(rows) if run.experiment == name}
        for name in ("defaults", "tuning", "fair")
    }
    assert sum(map(len, seeds.values())) == len(set.union(*seeds.values()))


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
        ({0.1: [50, 50], 0.2: [90, None], 0.4: [40, 40]}, 0.1),  # one that diverged counts as 0
        ({0.1: [50, None], 0.2: [90, None], 0.4: [40, 40]}, 0.2),
        ({0.1: [None, None], 0.2: [None, None], 0.4: [10, 10]}, 0.4),
        ({0.1: [None, None], 0.2: [None, None], 0.4: [None, None]}, 0.1),
    ],
)
def test_the_rate_with_the_best_mean_is_taken(accuracies, best):
    rows = tuning_rows(accuracies)
    assert PLAN.tuned_rates(rows) == {("step_lr", 2): best}
    assert fair_rates(PLAN, rows) == {("step_lr", 2): best}


@pytest.mark.parametrize("lacking", range(6))
def test_a_scheduler_is_tuned_only_once_all_of_its_runs_are_there(lacking):
    rows = tuning_rows({0.1: [50, 50], 0.2: [60, 60], 0.4: [40, 40]})
    del rows[lacking]
    assert PLAN.tuned_rates(rows) == {}
    assert fair_rates(PLAN, rows) == {}


def test_a_fair_run_takes_the_rate_of_the_largest_tuned_budget_not_above_its_own():
    low, high = {0.1: [9, 9], 0.2: [1, 1], 0.4: [1, 1]}, {0.1: [1, 1], 0.2: [1, 1], 0.4: [9, 9]}
    rows = tuning_rows(low, epochs=2)
    assert fair_rates(PLAN, rows) == {("step_lr", 2): 0.1}
    rows += tuning_rows(high, epochs=8)
    wanted = {("step_lr", 2): 0.1, ("step_lr", 8): 0.4, ("step_lr", 16): 0.4}
    assert fair_rates(PLAN, rows) == wanted


def test_runs_of_other_plans_do_not_choose_a_rate():
    rows = tuning_rows({0.1: [50, 50], 0.2: [60, 60], 0.4: [40, 40]})
    others = tuning_rows({0.1: [0, 0, 99], 0.8: [99, 99]})[2:]  # another seed, another rate
    others += tuning_rows({0.1: [99, 99]}, epochs=4)
    assert PLAN.tuned_rates(others + rows) == {("step_lr", 2): 0.2}


def test_a_single_rate_needs_no_tuning():
    plan = replace(PLAN, tuning={}, rates=(0.3,))
    assert set(fair_rates(plan, []).values()) == {0.3}
    assert {run.experiment for run in plan.runs([])} == {"defaults", "fair"}


# ---------------------------------------------------------------------- finals


def test_finals_come_after_all_fair_runs(rows):
    first = next(i for i, row in enumerate(rows) if row["epochs"] == 32)
    fair = [row for row in rows[:first] if row["experiment"] == "fair"]
    assert len(fair) == 5 * (4 + 3 + 2)
    for row in fair:  # without any of them there are none yet
        without = [other for other in rows[:first] if other is not row]
        assert not [run for run in PLAN.runs(without) if run.epochs == 32]


@pytest.mark.parametrize(
    "accuracies, finalists",
    [
        ([50, 90, 80, 70, 60], ["constant", "step_lr", "linear_lr", "cosine_annealing_lr"]),
        ([90, 50, 60, 70, 80], ["constant", "linear_lr", "exponential_lr", "cosine_annealing_lr"]),
        (
            [1, None, 60, 70, 9],
            ["constant", "linear_lr", "exponential_lr", "cosine_annealing_lr"],
        ),
    ],
)
def test_the_best_of_the_largest_fair_budget_are_finalists(accuracies, finalists):
    """And the two references beside them, however good they are."""
    by_name = dict(zip(PLAN.schedulers, accuracies, strict=True))

    def accuracy(run):
        if run.experiment == "fair" and run.epochs == 16:
            return by_name[run.scheduler]
        return accuracy_of(run)

    finals = [run for run in runs_of(complete(PLAN, accuracy)) if run.epochs == 32]
    assert [run.scheduler for run in finals] == 5 * finalists
    assert set(REFERENCES) <= set(finalists)


# ---------------------------------------------------------------------- the plans of the book


def test_the_plans_are_those_of_the_chapter():
    assert list(PLANS) == ["defaults", "fair", "small", "demo"]
    assert all(plan.about for plan in PLANS.values())
    for name in ("fair", "small"):
        assert PLANS[name].schedulers == tuple(FAIR)
        assert len(PLANS[name].rates) > 3
        ratios = [b / a for a, b in zip(PLANS[name].rates, PLANS[name].rates[1:], strict=False)]
        assert ratios == pytest.approx([2.0] * len(ratios))
    assert min([*PLANS["small"].fair.values(), *PLANS["small"].defaults.values()]) >= 3
    assert min(PLANS["fair"].fair.values()) >= 10
    assert [*PLANS["fair"].fair, *PLANS["fair"].finals] == [2, 8, 16, 32]
    assert len(PLANS["demo"].schedulers) == 2 and PLANS["demo"].data == "sample"


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
        ({"finals": {16: 2}}, ["finals={16: 2}", "fair={16: 4, 2: 3, 8: 2}"]),
        ({"fair": {}}, ["finals={32: 5}", "fair={}"]),
    ],
)
def test_a_plan_that_cannot_be_completed_is_refused(change, words):
    with pytest.raises(ValueError) as caught:
        replace(PLAN, **change)
    assert not [word for word in words if word not in str(caught.value)], caught.value
