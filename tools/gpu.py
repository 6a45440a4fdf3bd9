"""A short lease of a GPU, used in two calls: python tools/gpu.py probe, then run.

`probe` measures how fast each network trains in each way, checks that all runs together give what
one run alone gives, picks the network and the number of streams, and writes speed.json. `run` makes
the runs of the plans with that choice, one file of rows a plan, and stops in time. Both write into
the folder --out and show what they do. --dry does the same within a minute on a CPU, with tiny
networks: to find out at home what fails, and not on a machine that is paid by the second.
"""

import argparse
import json
import time
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import bench_cifar
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from lrcore.cifar import PLANS, load, run, together
from lrcore.cifar.networks import Task, augment, normalise, pictures
from lrcore.cifar.together import Member, Together
from lrcore.cifar.trainer import GROUP, device_name
from lrcore.cifar.training import Setup, best_device, best_precision, train
from lrcore.files import write_whole

# candidates for the comparison, then the full network, which is measured to be compared with
NETWORKS = [((24, 64, 128, 256), 2), ((16, 32, 64, 128), 1), ((16, 32, 64, 128), 2)]
FULL = ((24, 64, 256, 256), 1)
STREAMS = [8, 1, 23]
ALLOWED = 0.030  # seconds a run and epoch: what lets every plan end within a lease
ORDER = ["transformer", "adamw", "fair", "defaults", "confirmation"]  # short and new ones first


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("call", choices=["probe", "run"])
    parser.add_argument("--data", metavar="DIR", help="folder with CIFAR-10 (default: download)")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)
    parser.add_argument("--speed", metavar="FILE", type=Path, help="what probe wrote, for run")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--dry", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.call == "probe":
        probe(options)
    else:
        run_plans(options)


def probe(options):
    """Measure until the minutes are over, write what was measured, and what follows from it."""
    end = time.monotonic() + 60 * options.minutes
    plan = DRY_PLANS["fair"] if options.dry else PLANS["fair"]
    device = torch.device("cpu") if options.dry else best_device()
    data = load("sample" if options.dry else options.data).to(device)
    table = Table(options.out / "speed.json", device, end)
    networks = [(plan.widths, plan.stride)] if options.dry else NETWORKS
    table.attempt(compare_with_one_alone, setup_for(networks[0], plan, torch.float32), data)
    for network in networks:
        setup = setup_for(network, plan, best_precision(device))
        table.attempt(time_together, setup, data, network, STREAMS[0])
        table.attempt(time_train, setup, data, network)
    best = fastest_good_enough(table.rows)
    if best is None:
        raise SystemExit("No network could be measured: see above.")
    setup = setup_for((best["widths"], best["stride"]), plan, best_precision(device))
    for streams in [] if options.dry else STREAMS[1:]:
        table.attempt(time_together, setup, data, (best["widths"], best["stride"]), streams)
    torch.backends.cudnn.benchmark = True
    table.attempt(time_together, setup, data, (best["widths"], best["stride"]), STREAMS[0])
    torch.backends.cudnn.benchmark = False
    table.attempt(time_arithmetic, setup, data)
    table.attempt(time_copied, data, 3 if options.dry else 300)
    if not options.dry:
        setup = setup_for(FULL, plan, best_precision(device))
        table.attempt(time_train, setup, data, FULL)
        table.attempt(time_together, setup, data, FULL, STREAMS[0])
    print("choice:", json.dumps(fastest_good_enough(table.rows)))


class Table:
    """The rows measured so far, written anew with each one: a call may be cut off."""

    def __init__(self, file, device, end):
        self.file, self.end, self.rows = file, end, []
        self.where = {"device": device_name(device), "torch": torch.__version__}

    def attempt(self, measure, *arguments):
        """Add what `measure` returns; one way that fails must not cost the others."""
        if time.monotonic() > self.end:
            print(f"no time left for {measure.__name__}", flush=True)
            return
        start = time.monotonic()
        try:
            row = measure(*arguments)
        except Exception:  # shown, and a row that is missing is seen
            print(f"FAILED {measure.__name__}:", traceback.format_exc(limit=-6), flush=True)
            return
        self.rows.append({**row, **self.where})
        print(f"{time.monotonic() - start:5.1f} s", json.dumps(row), flush=True)
        write_whole(self.file, json.dumps(self.rows, indent=1) + "\n")


def setup_for(network, plan, precision):
    return Setup(pictures(*network), plan.optimizer, plan.batch_size, precision)


def members(count, steps):
    make_scheduler = partial(CosineAnnealingLR, T_max=steps)
    return [Member(make_scheduler, 0.025 * 1.2**i, 1) for i in range(count)]


def seconds(action):
    """How long `action()` takes, and what it returns. It ends by reading from the device."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def undisturbed(action):
    """Seconds that `action` takes, the less of two: what is taken off must not be too much."""
    return min(seconds(action)[0] for _ in range(2))


def compare_with_one_alone(setup, data):
    """The losses of three runs together and of the same runs alone, in float32 without TF32."""
    torch.backends.cudnn.allow_tf32 = False
    steps = len(data.train.labels) // setup.batch_size
    three = members(3, steps)
    group = Together(data, setup, 3, steps).train(three, epochs=1, seed=0)
    alone = [train(data, setup, m.make_scheduler, epochs=1, lr=m.lr, seed=0) for m in three]
    torch.backends.cudnn.allow_tf32 = True
    pairs = list(zip(group, alone, strict=True))
    return {
        "what": "together against alone, float32",
        "first_losses_differ_by": max(abs(a.losses[0] / b.losses[0] - 1) for a, b in pairs),
        "last_losses_differ_by": max(abs(a.losses[-1] / b.losses[-1] - 1) for a, b in pairs),
        "accuracies": [[round(a.accuracy, 2), round(b.accuracy, 2)] for a, b in pairs],
    }


def time_together(setup, data, network, streams):
    """Seconds a run and epoch: those of three epochs less those of one, so nothing else counts."""
    steps = len(data.train.labels) // setup.batch_size
    size = min(23, GROUP[data.train.labels.device.type])
    trainer = Together(data, setup, size, 4 * steps, streams=streams)
    first, _ = seconds(lambda: trainer.train(members(size, steps), epochs=1, seed=0))
    one = undisturbed(lambda: trainer.train(members(size, steps), epochs=1, seed=0))
    four, outcomes = seconds(lambda: trainer.train(members(size, 4 * steps), epochs=4, seed=0))
    return {
        "what": f"{size} runs together",
        "widths": network[0],
        "stride": network[1],
        "streams": streams,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "batch_size": setup.batch_size,
        "seconds_a_run_epoch": (four - one) / 3 / size,
        "seconds_to_record": first - one,
        "best_accuracy_after_4_epochs": max(outcome.accuracy or 0 for outcome in outcomes),
    }


def time_train(setup, data, network):
    """Seconds of an epoch of the plain loop, one run alone."""
    steps = len(data.train.labels) // setup.batch_size
    loop = partial(train, data, setup, partial(CosineAnnealingLR, T_max=steps), lr=0.05, seed=0)
    seconds(lambda: loop(epochs=1))
    one = undisturbed(lambda: loop(epochs=1))
    three, _ = seconds(lambda: loop(epochs=3))
    return {
        "what": "one run alone, plain loop",
        "widths": network[0],
        "stride": network[1],
        "batch_size": setup.batch_size,
        "seconds_a_run_epoch": (three - one) / 2,
    }


def time_arithmetic(setup, data):
    """Seconds of an epoch's multiplications and additions as large matrix products."""
    steps = len(data.train.labels) // setup.batch_size
    multiply, worth = bench_cifar.arithmetic(setup, data)
    seconds(multiply)
    taken = min(seconds(multiply)[0] for _ in range(10))
    return {
        "what": "its arithmetic alone",
        "batch_size": setup.batch_size,
        "seconds_a_run_epoch": taken / worth * steps,
        "operations_a_step": bench_cifar.operations(setup, data),
    }


def time_copied(data, steps):
    """Seconds of an epoch of the loop that most people copy: ResNet-18, two workers, batch 128."""
    setup = Setup(Task(bench_cifar.resnet18, augment, normalise), "SGD", 128, torch.float32)
    bench_cifar.copied(setup, bench_cifar.repeated(data, 20 * 128 if steps > 20 else 128), 20)
    some = bench_cifar.repeated(data, steps * 128)
    taken, _ = seconds(lambda: bench_cifar.copied(setup, some, steps))
    return {
        "what": "the loop that most people copy, ResNet-18",
        "batch_size": 128,
        "steps_measured": steps,
        "seconds_a_run_epoch": taken / steps * (45_000 // 128),
    }


def fastest_good_enough(rows):
    """The most accurate network that is fast enough with its best streams; else the fastest."""
    rows = [row for row in rows if "streams" in row and tuple(row["widths"]) != FULL[0]]
    fast = [row for row in rows if row["seconds_a_run_epoch"] <= ALLOWED]
    if not fast:
        return min(rows, key=lambda row: row["seconds_a_run_epoch"], default=None)
    best = max(fast, key=lambda row: row["best_accuracy_after_4_epochs"])
    same = [
        row for row in fast if row["widths"] == best["widths"] and row["stride"] == best["stride"]
    ]
    return min(same, key=lambda row: row["seconds_a_run_epoch"])


def run_plans(options):
    """Make the plans in their order until the time is over."""
    end = time.monotonic() + 60 * options.minutes
    choice = fastest_good_enough(json.loads(options.speed.read_text()))
    if choice is None:
        raise SystemExit(f"{options.speed} has no network that was trained together: probe again.")
    together.STREAMS = choice["streams"]
    torch.backends.cudnn.benchmark = choice["cudnn_benchmark"]
    for name in ORDER:
        plan = (DRY_PLANS if options.dry else PLANS)[name]
        if name in ("fair", "adamw", "defaults") and not options.dry:
            plan = replace(plan, widths=tuple(choice["widths"]), stride=choice["stride"])
        minutes = (end - time.monotonic()) / 60
        if minutes <= 0:
            print(f"no time left for {name}", flush=True)
            continue
        data = None if plan.network == "transformer" or options.dry else options.data
        start = time.monotonic()
        out = options.out / f"{name}.jsonl"
        try:
            with TemporaryDirectory() as folder:  # all that is kept stands in the one file
                rows = run(plan, data, folder, minutes=minutes, out=out)
        except Exception:  # one plan that fails must not cost the others
            print(f"FAILED {name}:", traceback.format_exc(limit=-6), flush=True)
            continue
        epochs = sum(row["epochs"] for row in rows)
        print(
            f"{name}: {len(rows)} runs, {epochs} of {plan.all_epochs} epochs, "
            f"{time.monotonic() - start:.0f} s",
            flush=True,
        )


TINY = {"widths": (2, 2, 2, 4), "stride": 2, "batch_size": 125, "data": "sample"}
DRY_PLANS = {
    "fair": replace(
        PLANS["fair"],
        **TINY,
        rates=(0.05, 0.1),
        tuning={1: 1},
        fair={1: 2},
        horizon={1: 2},
        primary=None,
    ),
    "adamw": replace(
        PLANS["adamw"], **TINY, rates=(0.002, 0.004), tuning={1: 1}, fair={1: 1}, primary=None
    ),
    "transformer": replace(
        PLANS["transformer"],
        schedulers=("constant", "warmup_cosine"),
        rates=(0.002,),
        tuning={},
        fair={1: 1},
        primary=None,
    ),
    "defaults": replace(PLANS["defaults"], **TINY | {"data": "sample"}, defaults={1: 1}),
    "confirmation": replace(
        PLANS["confirmation"], **TINY, rates=(0.05,), tuning={}, fair={1: 1}, primary=None
    ),
}


if __name__ == "__main__":
    main()
