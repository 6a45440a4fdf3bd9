"""Record which rates other libraries' schedules give: make libraries.

It runs in an environment of its own, .venv-libraries, and writes lrcore/libraries.json. Each entry
of CALLS is a call as people write it. It is run, the schedule drives a real optimizer of its
library, and the rate that each step really used is written down.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import sys
import types
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import keras
import lightning
import numpy as np
import optax
import torch
import transformers
from torch.utils.data import DataLoader

from lrcore.files import write_whole

# All of timm would load its models, and those need a torchvision that was built for this PyTorch.
# Its schedulers need neither.
timm = types.ModuleType("timm")
timm.__path__ = importlib.util.find_spec("timm").submodule_search_locations
sys.modules["timm"] = timm
timm_scheduler = importlib.import_module("timm.scheduler")

FILE = Path(__file__).resolve().parent.parent / "lrcore" / "libraries.json"
BASE = 0.1  # the rate of every optimizer
STEPS = 60
BATCHES, EPOCHS = 4, 3  # of a fit

# What a plateau schedule is shown: it falls until epoch 9 and stays; or it is small, and falls by
# at least a hundredth of itself in every epoch.
METRICS = {
    "flat": [round(1 - 0.05 * min(t, 9), 2) for t in range(STEPS)],
    "small": [round(0.001 - 0.00001 * t, 5) for t in range(STEPS)],
}

# Family, then the function of lrcore.formulas and its arguments that the family is compared with;
# then the calls: library, variant ("" or a few words), the call itself.
CALLS = {
    "constant": ("constant_lr", {"factor": 1.0}, [
        ("PyTorch", "", "ConstantLR(optimizer, factor=1.0)"),
        ("PyTorch", "defaults", "ConstantLR(optimizer)"),
        ("transformers", "", "get_constant_schedule(optimizer)"),
        ("timm", "", 'create_scheduler_v2(optimizer, sched="constant")[0]'),
        ("Optax", "", "constant_schedule(0.1)"),
        ("Keras", "", "SGD(learning_rate=0.1)"),
    ]),
    "constant with warm-up": ("linear_lr", {"start_factor": 0.2, "total_iters": 4}, [
        ("PyTorch", "", "LinearLR(optimizer, start_factor=0.2, total_iters=4)"),
        ("transformers", "", "get_constant_schedule_with_warmup(optimizer, num_warmup_steps=4)"),
        ("timm", "", 'create_scheduler_v2(optimizer, sched="constant", warmup_epochs=4, '
         "warmup_lr=0.02)[0]"),
        ("Optax", "", "warmup_constant_schedule(init_value=0.02, peak_value=0.1, warmup_steps=4)"),
        ("Keras", "", "PolynomialDecay(0.02, decay_steps=4, end_learning_rate=0.1)"),
    ]),
    "step": ("step_lr", {"step_size": 20, "gamma": 0.5}, [
        ("PyTorch", "", "StepLR(optimizer, step_size=20, gamma=0.5)"),
        ("timm", "", "StepLRScheduler(optimizer, decay_t=20, decay_rate=0.5)"),
        ("timm", "defaults", "StepLRScheduler(optimizer, decay_t=20)"),
        ("timm", "warm-up", "StepLRScheduler(optimizer, decay_t=20, decay_rate=0.5, warmup_t=4, "
         "warmup_lr_init=0.02)"),
        ("timm", "factory", 'create_scheduler_v2(optimizer, sched="step", decay_epochs=20, '
         "decay_rate=0.5, warmup_epochs=4, warmup_lr=0.02)[0]"),
        ("Optax", "", "exponential_decay(0.1, transition_steps=20, decay_rate=0.5, "
         "staircase=True)"),
        ("Keras", "", "ExponentialDecay(0.1, decay_steps=20, decay_rate=0.5, staircase=True)"),
    ]),
    "multi-step": ("multi_step_lr", {"milestones": [20, 35], "gamma": 0.5}, [
        ("PyTorch", "", "MultiStepLR(optimizer, milestones=[20, 35], gamma=0.5)"),
        ("timm", "", "MultiStepLRScheduler(optimizer, decay_t=[20, 35], decay_rate=0.5)"),
        ("timm", "plus 1", "MultiStepLRScheduler(optimizer, decay_t=[21, 36], decay_rate=0.5)"),
        ("Optax", "", "piecewise_constant_schedule(0.1, {20: 0.5, 35: 0.5})"),
        ("Keras", "", "PiecewiseConstantDecay([20, 35], [0.1, 0.05, 0.025])"),
        ("Keras", "minus 1", "PiecewiseConstantDecay([19, 34], [0.1, 0.05, 0.025])"),
    ]),
    "exponential": ("exponential_lr", {"gamma": 0.95}, [
        ("PyTorch", "", "ExponentialLR(optimizer, gamma=0.95)"),
        ("timm", "", "StepLRScheduler(optimizer, decay_t=1, decay_rate=0.95)"),
        ("Optax", "", "exponential_decay(0.1, transition_steps=1, decay_rate=0.95)"),
        ("Keras", "", "ExponentialDecay(0.1, decay_steps=1, decay_rate=0.95)"),
    ]),
    "exponential, slow": ("exponential_lr", {"gamma": 0.5 ** (1 / 20)}, [
        ("PyTorch", "", "ExponentialLR(optimizer, gamma=0.5 ** (1 / 20))"),
        ("timm", "", "StepLRScheduler(optimizer, decay_t=1, decay_rate=0.5 ** (1 / 20))"),
        ("Optax", "", "exponential_decay(0.1, transition_steps=20, decay_rate=0.5)"),
        ("Keras", "", "ExponentialDecay(0.1, decay_steps=20, decay_rate=0.5)"),
    ]),
    "polynomial": ("polynomial_lr", {"total_iters": 40, "power": 2.0}, [
        ("PyTorch", "", "PolynomialLR(optimizer, total_iters=40, power=2.0)"),
        ("transformers", "", "get_polynomial_decay_schedule_with_warmup(optimizer, "
         "num_warmup_steps=0, num_training_steps=40, power=2.0)"),
        ("transformers", "to zero", "get_polynomial_decay_schedule_with_warmup(optimizer, "
         "num_warmup_steps=0, num_training_steps=40, power=2.0, lr_end=0.0)"),
        ("timm", "", "PolyLRScheduler(optimizer, t_initial=40, power=2.0)"),
        ("timm", "defaults", "PolyLRScheduler(optimizer, t_initial=40)"),
        ("Optax", "", "polynomial_schedule(0.1, 0.0, power=2.0, transition_steps=40)"),
        ("Keras", "", "PolynomialDecay(0.1, decay_steps=40, power=2.0)"),
        ("Keras", "to zero", "PolynomialDecay(0.1, decay_steps=40, power=2.0, "
         "end_learning_rate=0.0)"),
    ]),
    "linear": ("linear_lr", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 40}, [
        ("PyTorch", "", "LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=40)"),
        ("transformers", "", "get_linear_schedule_with_warmup(optimizer, num_warmup_steps=0, "
         "num_training_steps=40)"),
        ("timm", "", "PolyLRScheduler(optimizer, t_initial=40, power=1.0)"),
        ("Optax", "", "linear_schedule(0.1, 0.0, transition_steps=40)"),
        ("Keras", "", "PolynomialDecay(0.1, decay_steps=40, end_learning_rate=0.0)"),
    ]),
    "linear with warm-up": ("warmup_linear", {"total_steps": 44, "warmup_steps": 4}, [
        ("PyTorch", "", "SequentialLR(optimizer, [LinearLR(optimizer, 0.2, total_iters=4), "
         "LinearLR(optimizer, 1.0, 0.0, total_iters=40)], milestones=[4])"),
        ("transformers", "", "get_linear_schedule_with_warmup(optimizer, num_warmup_steps=4, "
         "num_training_steps=44)"),
        ("timm", "", "PolyLRScheduler(optimizer, t_initial=40, power=1.0, warmup_t=4, "
         "warmup_lr_init=0.02, warmup_prefix=True)"),
        ("Optax", "", "join_schedules([linear_schedule(0.02, 0.1, 4), "
         "linear_schedule(0.1, 0.0, 40)], [4])"),
    ]),
    "cosine": ("cosine_annealing_lr", {"T_max": 40}, [
        ("PyTorch", "", "CosineAnnealingLR(optimizer, T_max=40)"),
        ("transformers", "", "get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=0, "
         "num_training_steps=40)"),
        ("timm", "", "CosineLRScheduler(optimizer, t_initial=40)"),
        ("Optax", "", "cosine_decay_schedule(0.1, decay_steps=40)"),
        ("Keras", "", "CosineDecay(0.1, decay_steps=40)"),
    ]),
    "cosine with a floor": ("cosine_annealing_lr", {"T_max": 40, "eta_min": 0.01}, [
        ("PyTorch", "", "CosineAnnealingLR(optimizer, T_max=40, eta_min=0.01)"),
        ("transformers", "", "get_cosine_with_min_lr_schedule_with_warmup(optimizer, "
         "num_warmup_steps=0, num_training_steps=40, min_lr=0.01)"),
        ("timm", "", "CosineLRScheduler(optimizer, t_initial=40, lr_min=0.01)"),
        ("Optax", "", "cosine_decay_schedule(0.1, decay_steps=40, alpha=0.1)"),
        ("Keras", "", "CosineDecay(0.1, decay_steps=40, alpha=0.1)"),
        ("Keras", "alpha=0.01", "CosineDecay(0.1, decay_steps=40, alpha=0.01)"),
    ]),
    "cosine with warm-up": ("warmup_cosine", {"total_steps": 44, "warmup_steps": 4}, [
        ("PyTorch", "", "SequentialLR(optimizer, [LinearLR(optimizer, 0.2, total_iters=4), "
         "CosineAnnealingLR(optimizer, T_max=40)], milestones=[4])"),
        ("transformers", "", "get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=4, "
         "num_training_steps=44)"),
        ("transformers", "plus 1", "get_cosine_with_min_lr_schedule_with_warmup_lr_rate("
         "optimizer, num_warmup_steps=5, num_training_steps=45, min_lr=0.0)"),
        ("transformers", "by name", 'get_scheduler("cosine", optimizer, num_warmup_steps=4, '
         "num_training_steps=44)"),
        ("timm", "", "CosineLRScheduler(optimizer, t_initial=40, warmup_t=4, "
         "warmup_lr_init=0.02, warmup_prefix=True)"),
        ("timm", "no prefix", "CosineLRScheduler(optimizer, t_initial=44, warmup_t=4, "
         "warmup_lr_init=0.02)"),
        ("timm", "long warm-up", "CosineLRScheduler(optimizer, t_initial=44, warmup_t=20, "
         "warmup_lr_init=0.02)"),
        ("Optax", "", "warmup_cosine_decay_schedule(init_value=0.02, peak_value=0.1, "
         "warmup_steps=4, decay_steps=44)"),
        ("Keras", "", "CosineDecay(0.02, decay_steps=40, warmup_target=0.1, warmup_steps=4)"),
        ("Keras", "decay_steps=44", "CosineDecay(0.02, decay_steps=44, warmup_target=0.1, "
         "warmup_steps=4)"),
    ]),
    "hard restarts": ("cosine_annealing_warm_restarts", {"T_0": 20}, [
        ("PyTorch", "", "CosineAnnealingWarmRestarts(optimizer, T_0=20)"),
        ("transformers", "", "get_cosine_with_hard_restarts_schedule_with_warmup(optimizer, "
         "num_warmup_steps=0, num_training_steps=40, num_cycles=2)"),
        ("transformers", "waves", "get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=0, "
         "num_training_steps=40, num_cycles=2)"),
        ("timm", "", "CosineLRScheduler(optimizer, t_initial=20, cycle_limit=2)"),
        ("timm", "defaults", "CosineLRScheduler(optimizer, t_initial=20)"),
        ("Optax", "", "sgdr_schedule([dict(init_value=0.1, peak_value=0.1, warmup_steps=0, "
         "decay_steps=20)] * 2)"),
        ("Keras", "", "CosineDecayRestarts(0.1, first_decay_steps=20, t_mul=1.0)"),
        ("Keras", "defaults", "CosineDecayRestarts(0.1, first_decay_steps=20)"),
    ]),
    "SGDR": ("cosine_annealing_warm_restarts", {"T_0": 8, "T_mult": 2}, [
        ("PyTorch", "", "CosineAnnealingWarmRestarts(optimizer, T_0=8, T_mult=2)"),
        ("timm", "", "CosineLRScheduler(optimizer, t_initial=8, cycle_mul=2.0, cycle_limit=4)"),
        ("Optax", "", "sgdr_schedule([dict(init_value=0.1, peak_value=0.1, warmup_steps=0, "
         "decay_steps=n) for n in (8, 16, 32, 64)])"),
        ("Keras", "", "CosineDecayRestarts(0.1, first_decay_steps=8, t_mul=2.0)"),
    ]),
    "restarts with warm-up and lower peaks": (
        "warmup_restarts", {"T_0": 20, "T_up": 4, "gamma": 0.5}, [
        ("timm", "", "CosineLRScheduler(optimizer, t_initial=20, warmup_t=4, cycle_limit=3, "
         "cycle_decay=0.5)"),
        ("Optax", "", "sgdr_schedule([dict(init_value=0.0, peak_value=peak, warmup_steps=4, "
         "decay_steps=20) for peak in (0.1, 0.05, 0.025)])"),
    ]),
    "lower peaks": ("warmup_restarts", {"T_0": 20, "gamma": 0.5}, [
        ("timm", "", "CosineLRScheduler(optimizer, t_initial=20, cycle_limit=3, cycle_decay=0.5)"),
        ("Optax", "", "sgdr_schedule([dict(init_value=peak, peak_value=peak, warmup_steps=0, "
         "decay_steps=20) for peak in (0.1, 0.05, 0.025)])"),
        ("Keras", "", "CosineDecayRestarts(0.1, first_decay_steps=20, t_mul=1.0, m_mul=0.5)"),
    ]),
    "one cycle": ("one_cycle_lr", {"total_steps": 41, "pct_start": 13 / 41}, [
        ("PyTorch", "", "OneCycleLR(optimizer, max_lr=0.1, total_steps=41, pct_start=13 / 41)"),
        ("PyTorch", "same numbers", "OneCycleLR(optimizer, max_lr=0.1, total_steps=40)"),
        ("Optax", "", "cosine_onecycle_schedule(transition_steps=40, peak_value=0.1)"),
    ]),
    "one cycle, three lines": (
        "one_cycle_lr", {"total_steps": 41, "pct_start": 13 / 41, "anneal_strategy": "linear",
                         "three_phase": True}, [
        ("PyTorch", "", "OneCycleLR(optimizer, max_lr=0.1, total_steps=41, pct_start=13 / 41, "
         'anneal_strategy="linear", three_phase=True)'),
        ("Optax", "", "linear_onecycle_schedule(transition_steps=40, peak_value=0.1, "
         "pct_final=0.6)"),
        ("Optax", "defaults", "linear_onecycle_schedule(transition_steps=40, peak_value=0.1)"),
    ]),
    "inverse square root": ("inverse_sqrt", {"warmup_steps": 4}, [
        ("PyTorch", "", "LambdaLR(optimizer, lambda t: min((t + 1) / 5, (5 / (t + 1)) ** 0.5))"),
        ("transformers", "", "get_inverse_sqrt_schedule(optimizer, num_warmup_steps=5)"),
        ("timm", "", 'WSDLRScheduler(optimizer, t_initial=60, decay_t=1, stable_fn="rsqrt", '
         "stable_timescale=5, warmup_t=4, warmup_lr_init=0.02)"),
        ("timm", "defaults", 'WSDLRScheduler(optimizer, t_initial=60, decay_t=1, '
         'stable_fn="rsqrt", warmup_t=5)'),
    ]),
    "WSD": ("warmup_stable_decay", {"total_steps": 44, "warmup_steps": 4, "decay_steps": 10}, [
        ("transformers", "", "get_wsd_schedule(optimizer, num_warmup_steps=4, "
         'num_training_steps=44, num_decay_steps=10, decay_type="1-sqrt")'),
        ("transformers", "defaults", "get_wsd_schedule(optimizer, num_warmup_steps=4, "
         "num_training_steps=44, num_decay_steps=10)"),
        ("timm", "", "WSDLRScheduler(optimizer, t_initial=40, decay_t=10, warmup_t=4, "
         "warmup_lr_init=0.02)"),
    ]),
    "WSD, cosine": (
        "warmup_stable_decay",
        {"total_steps": 44, "warmup_steps": 4, "decay_steps": 10, "decay": "cosine"}, [
        ("PyTorch", "", "SequentialLR(optimizer, [LinearLR(optimizer, 0.2, total_iters=4), "
         "ConstantLR(optimizer, factor=1.0), CosineAnnealingLR(optimizer, T_max=10)], "
         "milestones=[4, 34])"),
        ("transformers", "defaults", "get_wsd_schedule(optimizer, num_warmup_steps=4, "
         "num_training_steps=44, num_decay_steps=10)"),
        ("timm", "", "WSDLRScheduler(optimizer, t_initial=40, decay_t=10, warmup_t=4, "
         'warmup_lr_init=0.02, decay_fn="cosine")'),
        ("Optax", "", "join_schedules([linear_schedule(0.02, 0.1, 4), constant_schedule(0.1), "
         "cosine_decay_schedule(0.1, 10)], [4, 34])"),
    ]),
    "WSD, linear": (
        "warmup_stable_decay",
        {"total_steps": 44, "warmup_steps": 4, "decay_steps": 10, "decay": "linear"}, [
        ("PyTorch", "", "SequentialLR(optimizer, [LinearLR(optimizer, 0.2, total_iters=4), "
         "ConstantLR(optimizer, factor=1.0), LinearLR(optimizer, 1.0, 0.0, total_iters=10)], "
         "milestones=[4, 34])"),
        ("transformers", "", "get_wsd_schedule(optimizer, num_warmup_steps=4, "
         'num_training_steps=44, num_decay_steps=10, decay_type="linear")'),
        ("timm", "", "WSDLRScheduler(optimizer, t_initial=40, decay_t=10, warmup_t=4, "
         'warmup_lr_init=0.02, decay_fn="linear")'),
        ("Optax", "", "join_schedules([linear_schedule(0.02, 0.1, 4), constant_schedule(0.1), "
         "linear_schedule(0.1, 0.0, 10)], [4, 34])"),
    ]),
    "plateau": ("reduce_lr_on_plateau", {"metrics": "flat", "factor": 0.5, "patience": 3}, [
        ("PyTorch", "", "ReduceLROnPlateau(optimizer, factor=0.5, patience=3)"),
        ("transformers", "", "get_reduce_on_plateau_schedule(optimizer, factor=0.5, patience=3)"),
        ("timm", "", 'PlateauLRScheduler(optimizer, decay_rate=0.5, patience_t=3, mode="min")'),
        ("timm", "defaults", "PlateauLRScheduler(optimizer, decay_rate=0.5, patience_t=3)"),
        ("Optax", "", "contrib.reduce_on_plateau(factor=0.5, patience=3)"),
        ("Optax", "patience=4", "contrib.reduce_on_plateau(factor=0.5, patience=4)"),
        ("Optax", "in a chain", "chain(sgd(0.1), "
         "contrib.reduce_on_plateau(factor=0.5, patience=4))"),
        ("Keras", "", 'ReduceLROnPlateau("val_loss", factor=0.5, patience=3)'),
        ("Keras", "patience=4", 'ReduceLROnPlateau("val_loss", factor=0.5, patience=4)'),
    ]),
    "plateau with a cooldown": (
        "reduce_lr_on_plateau",
        {"metrics": "flat", "factor": 0.5, "patience": 3, "cooldown": 2}, [
        ("PyTorch", "", "ReduceLROnPlateau(optimizer, factor=0.5, patience=3, cooldown=2)"),
        ("transformers", "", "get_reduce_on_plateau_schedule(optimizer, factor=0.5, patience=3, "
         "cooldown=2)"),
        ("timm", "", 'PlateauLRScheduler(optimizer, decay_rate=0.5, patience_t=3, cooldown_t=2, '
         'mode="min")'),
        ("Optax", "", "contrib.reduce_on_plateau(factor=0.5, patience=4, cooldown=2)"),
        ("Keras", "", 'ReduceLROnPlateau("val_loss", factor=0.5, patience=4, cooldown=2)'),
        ("Keras", "cooldown=3", 'ReduceLROnPlateau("val_loss", factor=0.5, patience=4, '
         "cooldown=3)"),
    ]),
    "plateau of small numbers": (
        "reduce_lr_on_plateau", {"metrics": "small", "factor": 0.5, "patience": 3}, [
        ("PyTorch", "", "ReduceLROnPlateau(optimizer, factor=0.5, patience=3)"),
        ("transformers", "", "get_reduce_on_plateau_schedule(optimizer, factor=0.5, patience=3)"),
        ("timm", "", 'PlateauLRScheduler(optimizer, decay_rate=0.5, patience_t=3, mode="min")'),
        ("Optax", "", "contrib.reduce_on_plateau(factor=0.5, patience=4)"),
        ("Keras", "", 'ReduceLROnPlateau("val_loss", factor=0.5, patience=4)'),
        ("Keras", "min_delta=0", 'ReduceLROnPlateau("val_loss", factor=0.5, patience=4, '
         "min_delta=0)"),
    ]),
    "a function of your own": ("inverse_sqrt", {}, [
        ("PyTorch", "", "LambdaLR(optimizer, lambda t: (t + 1) ** -0.5)"),
        ("Optax", "", "sgd(learning_rate=lambda count: 0.1 * (count + 1) ** -0.5)"),
        ("Keras", "", "LearningRateScheduler(lambda epoch: 0.1 * (epoch + 1) ** -0.5)"),
    ]),
    "once a step": ("exponential_lr", {"gamma": 0.5}, [
        ("Lightning", "", '{"scheduler": ExponentialLR(optimizer, 0.5), "interval": "step"}'),
        ("timm", "step_update", "StepLRScheduler(optimizer, decay_t=1, decay_rate=0.5, "
         "t_in_epochs=False)"),
        ("timm", "step", "StepLRScheduler(optimizer, decay_t=1, decay_rate=0.5, "
         "t_in_epochs=False)"),
        ("Optax", "", "exponential_decay(0.1, transition_steps=1, decay_rate=0.5)"),
        ("Keras", "fit", "ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)"),
    ]),
    "once an epoch": ("exponential_lr", {"gamma": 0.5, "every": BATCHES}, [
        ("Lightning", "", '{"scheduler": ExponentialLR(optimizer, 0.5)}'),
        ("Lightning", "lists", "[optimizer], [ExponentialLR(optimizer, 0.5)]"),
        ("Keras", "fit", "LearningRateScheduler(lambda epoch: 0.1 * 0.5**epoch)"),
    ]),
    "every third step": ("exponential_lr", {"gamma": 0.5, "every": 3}, [
        ("Lightning", "", '{"scheduler": ExponentialLR(optimizer, 0.5), "interval": "step", '
         '"frequency": 3}'),
    ]),
    "every second batch": ("exponential_lr", {"gamma": 0.5, "every": 2}, [
        ("Lightning", "accumulate 2", '{"scheduler": ExponentialLR(optimizer, 0.5), '
         '"interval": "step"}'),
        ("Lightning", "accumulate 2, frequency 2", '{"scheduler": ExponentialLR(optimizer, 0.5), '
         '"interval": "step", "frequency": 2}'),
    ]),
}  # fmt: skip


def main():
    rows, families = [], {}
    for family, (schedule, parameters, calls) in CALLS.items():
        families[family] = {"schedule": schedule, "parameters": parameters}
        metrics = METRICS.get(parameters.get("metrics"))
        for library, variant, call in calls:
            rates = RUN[library](call, variant, metrics)
            row = {"family": family, "library": library, "variant": variant, "call": call}
            rows.append(row | {"rates": rates})
    head = {
        "versions": versions(), "base_lr": BASE, "metrics": METRICS, "names": names_of_schedules(),
        "families": families,
    }  # fmt: skip
    write_whole(FILE, text_of(head, rows))
    print(f"{len(rows)} calls, {FILE.stat().st_size // 1000} kB: {FILE.name}")


def versions():
    packages = {name: name.lower() for name in RUN} | {"PyTorch": "torch"}
    found = {name: importlib.metadata.version(package) for name, package in packages.items()}
    return {name: version.partition("+")[0] for name, version in found.items()}


def names_of_schedules():
    """The schedules that each library has, and for transformers the names of get_scheduler."""
    of_torch = torch.optim.lr_scheduler.__all__
    of_optax = [name for name in dir(optax.schedules) if not name.startswith("_")]
    of_keras = dir(keras.optimizers.schedules) + dir(keras.callbacks)
    return {
        "PyTorch": [name for name in of_torch if name != "LRScheduler"],
        "transformers": [kind.value for kind in transformers.SchedulerType],
        "timm": [name for name in dir(timm_scheduler) if name.endswith("LRScheduler")],
        "Optax": [name for name in of_optax if name.endswith(("schedule", "schedules", "_decay"))]
        + ["contrib." + name for name in dir(optax.contrib) if name == "reduce_on_plateau"],
        "Keras": [name for name in of_keras if "Decay" in name]
        + [name for name in of_keras if name in ("LearningRateScheduler", "ReduceLROnPlateau")],
    }


def text_of(head, rows):
    """JSON with one row a line, so that a change of one row is a change of one line."""
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    return f'{json.dumps(head, separators=(",", ":"))[:-1]},\n"rows":[\n{lines}\n]}}\n'


# ---------------------------------------------------------------- libraries that use PyTorch


def torch_optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)


def of_torch(call, variant, metrics, module=torch.optim.lr_scheduler):
    """Rates of a scheduler that is stepped after the optimizer, until it raises or STEPS."""
    optimizer, rates = torch_optimizer(), []
    scheduler = eval(call, {**vars(module), "optimizer": optimizer})
    assert type(scheduler).__module__ == "torch.optim.lr_scheduler"  # transformers' are PyTorch's
    for t in range(STEPS):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        try:
            scheduler.step(*([metrics[t]] if metrics else []))
        except ValueError:  # OneCycleLR, after its end
            break
    return rates


def of_transformers(call, variant, metrics):
    return of_torch(call, variant, metrics, transformers.optimization)


def of_timm(call, variant, metrics):
    """timm's schedulers are told the number of the next epoch."""
    optimizer, rates = torch_optimizer(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # its plateau will go
        scheduler = eval(call, {**vars(timm_scheduler), "optimizer": optimizer})
    for t in range(STEPS):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        step = scheduler.step_update if variant == "step_update" else scheduler.step
        step(t + 1, *([metrics[t]] if metrics else []))
    return rates


class Watched(lightning.LightningModule):
    """A model that writes down the rate of each batch."""

    def __init__(self, call):
        super().__init__()
        self.call, self.rates, self.layer = call, [], torch.nn.Linear(1, 1)

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=BASE)
        made = eval(self.call, {**vars(torch.optim.lr_scheduler), "optimizer": optimizer})
        if isinstance(made, tuple):
            return made
        return {"optimizer": optimizer, "lr_scheduler": made}

    def training_step(self, batch, number):
        self.rates.append(self.optimizers().param_groups[0]["lr"])
        return self.layer(batch).sum()


def of_lightning(call, variant, metrics):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    model = Watched(call)
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accumulate_grad_batches=2 if variant.startswith("accumulate") else 1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few workers, few batches
        trainer.fit(model, DataLoader(torch.ones(BATCHES, 1)))
    return model.rates


# ---------------------------------------------------------------- libraries with float32


def short(number):
    """A float32 with as many digits as it has."""
    return float(str(np.float32(number)))


def of_optax(call, variant, metrics):
    """Updates of SGD for a gradient of -1: the rates. A plateau is told the metric afterwards."""
    made = eval(call, {**vars(optax)})
    gradient = params = jax.numpy.array(-1.0)
    if metrics:
        return of_optax_plateau(made, gradient, metrics, chained=variant == "in a chain")
    optimizer = optax.sgd(made) if callable(made) else made
    state, rates = optimizer.init(params), []
    step = jax.jit(optimizer.update)
    for _ in range(STEPS):
        update, state = step(gradient, state, params)
        rates.append(short(update))
    return rates


def of_optax_plateau(made, gradient, metrics, chained):
    state, rates, scale = made.init(gradient), [], 1.0
    step = jax.jit(made.update)
    for metric in metrics:
        if not chained:  # as in Optax' example: the next epoch uses what this one's metric set
            rates.append(short(np.float32(BASE) * np.float32(scale)))
        update, state = step(gradient, state, gradient, value=metric)
        if chained:
            rates.append(short(update))
        else:
            scale = state.scale
    return rates


def of_keras(call, variant, metrics):
    """SGD's moves of a weight from 0 by a gradient of -1; with a callback, the rate it sets."""
    places = keras.optimizers.schedules, keras.optimizers, keras.callbacks
    found = {name: thing for place in places for name, thing in vars(place).items()}
    made = eval(call, found)
    if variant == "fit":
        return of_keras_fit(made)
    if isinstance(made, keras.callbacks.Callback):
        return of_keras_callback(made, metrics)
    optimizer = made if isinstance(made, keras.Optimizer) else keras.optimizers.SGD(made)
    weight, rates = keras.Variable(0.0), []
    optimizer.build([weight])
    for _ in range(STEPS):
        weight.assign(0.0)
        optimizer.apply([keras.ops.array(-1.0)])
        rates.append(short(keras.ops.convert_to_numpy(weight)))
    return rates


def keras_model(rate):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), loss="mse")
    return model


def rate_of(model):
    return short(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


def of_keras_callback(callback, metrics):
    """The rate in the middle of each epoch."""
    model, rates = keras_model(BASE), []
    callback.set_model(model)
    callback.on_train_begin()
    for t in range(STEPS):
        callback.on_epoch_begin(t)
        rates.append(rate_of(model))
        callback.on_epoch_end(t, {"val_loss": metrics[t]} if metrics else {})
    return rates


def of_keras_fit(made):
    """The rate before each batch of a real fit."""
    is_callback = isinstance(made, keras.callbacks.Callback)
    model, rates = keras_model(BASE if is_callback else made), []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: rates.append(rate_of(model))
    )
    x = np.ones((BATCHES, 1), "float32")
    callbacks = [made, note] if is_callback else [note]
    model.fit(x, x, batch_size=1, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    return rates


RUN = {
    "PyTorch": of_torch, "transformers": of_transformers, "timm": of_timm,
    "Optax": of_optax, "Keras": of_keras, "Lightning": of_lightning,
}  # fmt: skip

if __name__ == "__main__":
    main()
