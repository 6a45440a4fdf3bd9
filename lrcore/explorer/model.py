"""What an explorer offers, and what torch says to it: controls, curves, pictures, code."""

import inspect
import math
import string
from typing import NamedTuple

import ipywidgets
from torch.optim import lr_scheduler, swa_utils

from lrcore import formulas
from lrcore.plotting import panels_png
from lrcore.schedulers import WarmupRestarts
from lrcore.sources import definition
from lrcore.toy import NOISE_VARIANCE, expected_losses, noisy_path
from lrcore.tracing import LR, OWN, STEPS, check_own_names, trace_steps

FORMULAS = {
    lr_scheduler.LambdaLR: formulas.lambda_lr,
    lr_scheduler.MultiplicativeLR: formulas.multiplicative_lr,
    lr_scheduler.StepLR: formulas.step_lr,
    lr_scheduler.MultiStepLR: formulas.multi_step_lr,
    lr_scheduler.ConstantLR: formulas.constant_lr,
    lr_scheduler.LinearLR: formulas.linear_lr,
    lr_scheduler.ExponentialLR: formulas.exponential_lr,
    lr_scheduler.PolynomialLR: formulas.polynomial_lr,
    lr_scheduler.CosineAnnealingLR: formulas.cosine_annealing_lr,
    lr_scheduler.CosineAnnealingWarmRestarts: formulas.cosine_annealing_warm_restarts,
    lr_scheduler.CyclicLR: formulas.cyclic_lr,
    lr_scheduler.OneCycleLR: formulas.one_cycle_lr,
    lr_scheduler.ReduceLROnPlateau: formulas.reduce_lr_on_plateau,
    swa_utils.SWALR: formulas.swa_lr,
    WarmupRestarts: formulas.warmup_restarts,
}
MOMENTUM_FORMULAS = {
    lr_scheduler.CyclicLR: formulas.cyclic_momentum,
    lr_scheduler.OneCycleLR: formulas.one_cycle_momentum,
}
# What `explore` takes itself and no scheduler does: {name: where its control starts}.
OF_EXPLORE = {"lr": LR, "steps": STEPS, "every": 1, "batch_size": 1}


class Curves(NamedTuple):
    """One value per optimizer step; `loss` and `path` have one more, for after the last step."""

    rate: list
    momentum: list | None
    metric: list | None
    loss: list
    path: list | None  # [w_steep, w_flat] of one noisy run
    error: Exception | None  # what ended the curve early, if anything did


class Panel(NamedTuple):
    """One picture of an explorer. low and high bound it over the start and all ends of controls."""

    name: str  # of the field of Curves that it draws
    label: str
    log: bool
    low: float
    high: float


PANELS = {
    "rate": ("learning rate", False),
    "momentum": ("momentum", False),
    "metric": ("validation loss", False),
    "loss": ("expected loss", True),
}


class Model:
    """A scheduler, its controls and its curves: what `explore` is asked for."""

    def __init__(self, scheduler, formula, metric, controls, path=False):
        if not inspect.isclass(scheduler):
            _require_def("scheduler", scheduler, "a class or ")
        check_own_names("explore", scheduler, (*OWN, "batch_size", "formula", "path"))
        for name, function in (("formula", formula), ("metrics", metric)):
            if function is not None:
                _require_def(name, function)
        if not isinstance(path, bool):
            raise TypeError(f"explore: path={path!r}: allowed is True or False")
        self.path = path
        self.scheduler = scheduler
        self.name = scheduler.__name__
        self.metric = metric
        self.formula = formula or FORMULAS.get(scheduler)
        self.momentum_formula = MOMENTUM_FORMULAS.get(scheduler)
        if self.formula is None:
            raise TypeError(
                f"explore: {self.name} has no formula; give one as formula=, "
                "a function (t, base_lr, ...) of plain numbers"
            )
        self._check_names(controls)
        self.defaults = {**OF_EXPLORE, **_parameters(metric), **_parameters(scheduler)}
        self.widgets = {}
        self.fixed = {}
        for name, abbreviation in controls.items():
            widget = self._widget(name, abbreviation)
            if widget is None or isinstance(widget, ipywidgets.fixed):
                self.fixed[name] = abbreviation if widget is None else widget.value
            else:
                self.widgets[name] = widget
            offered = ends(widget) if name in self.widgets else [self.fixed[name]]
            for function in filter(callable, offered):
                _require_def(name, function)
        self._drawn = (None, None)
        self.start = self.values()
        self.panels = self._try_values()

    # --- reading the arguments

    def _check_names(self, controls):
        takes = _parameters(self.scheduler, skip=("optimizer", "last_epoch"))
        by_formula = _parameters(self.formula) | _parameters(self.momentum_formula)
        of_metric = _parameters(self.metric)
        for name in controls.keys() - OF_EXPLORE.keys() - of_metric.keys():
            if name not in takes:
                known = sorted(takes.keys() | of_metric.keys())
                raise TypeError(f"explore: {self.name} has no parameter {name!r}; it has {known}")
            if name not in by_formula:
                raise TypeError(
                    f"explore: the formula {self.formula.__name__} does not take {name!r} of "
                    f"{self.name}; it takes {sorted(by_formula)}"
                )
        for name, default in takes.items():
            if default is inspect.Parameter.empty and name not in controls:
                raise TypeError(f"explore: {self.name} needs {name!r}, a value or a control")
        if ("metrics" in by_formula) != (self.metric is not None):
            raise TypeError(
                f"explore: metrics={self.metric!r}, but {self.name} "
                + ("needs a function metrics(t)" if self.metric is None else "watches no metric")
            )
        self.scheduler_names = [name for name in controls if name in takes]

    def _widget(self, name, abbreviation):
        """The widget `interact` would make; None for a plain value, which stays fixed."""
        if abbreviation is None or callable(abbreviation):
            return None
        if isinstance(abbreviation, (int, float, str)) and not isinstance(abbreviation, bool):
            return None
        menu = abbreviation
        if isinstance(menu, list) and all(map(callable, menu)):
            menu = {function.__name__: function for function in menu}
        try:
            widget = ipywidgets.interactive.widget_from_abbrev(menu)
        except ValueError as e:
            raise ValueError(f"explore: {name}={abbreviation!r}: {e}") from e
        if not isinstance(widget, CONTROLS):
            raise TypeError(
                f"explore: {name}={abbreviation!r}: allowed is a range (min, max) or "
                "(min, max, step), a menu (list or dict), a boolean, a plain value, or a "
                "slider, Dropdown, Checkbox or fixed widget"
            )
        if widget is abbreviation:
            _set_start(widget, widget.value)
        else:
            _set_start(widget, self.defaults.get(name))
            if isinstance(widget, ipywidgets.FloatSlider):
                widget.readout_format = f".{decimals(widget)}f"  # its own would show 0.001 as 0.00
        if not isinstance(widget, ipywidgets.fixed):
            widget.description = name
        return widget

    # --- values and curves

    def values(self):
        """The value of every parameter as the controls stand."""
        return {**self.fixed, **{name: read(widget) for name, widget in self.widgets.items()}}

    def curves(self, values):
        """The curves of the real torch scheduler; an error of torch's ends them and is kept."""
        params = {name: values[name] for name in self.scheduler_names}
        rate, momentum, metrics, error = [], [], None, None
        try:
            metrics = self.metrics(values)
            steps, lr, every = (values[name] for name in ("steps", "lr", "every"))
            for row in trace_steps(self.scheduler, steps, lr, metrics, every, params):
                rate.append(row[0])
                momentum.append(row[1])
        except Exception as e:  # torch raises many kinds; all are shown to the reader
            error = e
        moved = momentum if self.momentum_formula else None
        noise_variance = NOISE_VARIANCE / values["batch_size"]
        loss = expected_losses(rate, noise_variance=noise_variance)
        path = noisy_path(rate, noise_variance=noise_variance) if self.path else None
        return Curves(rate, moved, metrics, loss, path, error)

    def metrics(self, values):
        """What the metric says at each step, or None for a scheduler that watches none."""
        if self.metric is None:
            return None
        names = [name for name in _parameters(self.metric) if name in values]
        return [
            self.metric(t, **{name: values[name] for name in names}) for t in range(values["steps"])
        ]

    def arguments(self, function):
        """How the page calls a formula: its parameters in order, each a control's or a default."""
        parameters = _parameters(function)
        # the optimizer's own rate, unless the scheduler has a base_lr of its own as CyclicLR has
        own = {"base_lr": "base_lr" if "base_lr" in self.scheduler_names else "lr"}
        return {name: (own.get(name, name), default) for name, default in parameters.items()}

    def _formula_curve(self, function, values, metrics):
        known = {**values, "metrics": metrics}
        args = [known.get(name, default) for name, default in self.arguments(function).values()]
        curve = []
        try:
            for t in range(values["steps"]):
                curve.append(function(t // values["every"], *args))
        except Exception as e:  # it must fail where torch fails: the lengths are compared
            return curve, e
        return curve, None

    def _try_values(self):
        """Try the start and both ends of every control: torch must accept them and agree.

        Returns the panels, wide enough for all that was seen: axes that change with every move
        would hide what moves.
        """
        tried = [self._try(self.start, "the start")]
        for name, widget in self.widgets.items():
            for value in ends(widget):
                tried.append(self._try({**self.start, name: value}, f"{name}={value!r}"))
        panels = []
        for name, (label, log) in PANELS.items():
            if getattr(tried[0], name) is not None:
                seen = [y for curves in tried for y in getattr(curves, name) if math.isfinite(y)]
                if not seen:
                    raise ValueError(f"explore: the {label} is a finite number at no step")
                if log:  # a setting that diverges must not flatten the curves of all others
                    seen = [y for y in seen if y <= 10 * seen[0]]
                panels.append(Panel(name, label, log, min(seen), max(seen)))
        return panels

    def _try(self, values, what):
        for name in ("steps", "every", "batch_size"):
            if not isinstance(values[name], int) or values[name] < 1:
                raise ValueError(
                    f"explore: {name}={values[name]!r}: allowed is a whole number above 0"
                )
        if self.metric and values["every"] > 1:
            raise ValueError(
                f"explore: every={values['every']!r}: allowed is 1 for {self.name}, which watches "
                "a metric at each step"
            )
        curves = self.curves(values)
        if curves.error and not curves.rate:
            raise ValueError(
                f"explore: {self.name} refuses {what} (of {values}): {curves.error!r}"
            ) from curves.error
        pairs = [(self.formula, curves.rate)]
        if self.momentum_formula:
            pairs.append((self.momentum_formula, curves.momentum))
        for function, wanted in pairs:
            got, error = self._formula_curve(function, values, curves.metric)
            step = first_difference(got, wanted)
            if step is not None and curves.error:
                raise ValueError(
                    f"explore: {self.name} fails for {what} (of {values}) "
                    f"at step {len(curves.rate)}: {curves.error!r}"
                ) from curves.error
            if step is not None:
                found = got[step] if step < len(got) else repr(error)
                raise ValueError(
                    f"explore: {function.__name__} and {self.name} disagree for {what} "
                    f"(of {values}) at step {step}: {found} against {wanted[step]}"
                ) from error
        return curves

    # --- showing

    def picture(self, curves, pinned=None, step=None):
        """A PNG of `curves`, a pinned curve under them, and the path up to a step, or whole.

        The last one is kept: the two views begin with the same.
        """
        asked = (curves, pinned, step)
        if self._drawn[0] != asked:
            self._drawn = (asked, panels_png(self.panels, *asked))
        return self._drawn[1]

    def code_template(self):
        """A whole program with a ${name} for the text of every value (see `texts`)."""
        arguments = "".join(f", {name}=${{{name}}}" for name in self.scheduler_names)
        names = [name for name in self.scheduler_names if self._is_function(name)]
        used = [self.scheduler, *([self.metric] if self.metric else [])]
        return "\n".join(
            [
                definition(*used, imports=["import torch"]),
                *(f"${{{name}_source}}" for name in names),
                "",
                "model = torch.nn.Linear(1, 1)  # your model",
                "optimizer = torch.optim.SGD(model.parameters(), lr=${lr})",
                f"scheduler = {self.name}(optimizer{arguments})",
                "",
                *self._loop(),
            ]
        )

    def _loop(self):
        """The lines of a training loop that prints what each step uses."""
        group = "optimizer.param_groups[0]"
        asked = self.start["batch_size"] > 1 or "batch_size" in self.widgets
        batch = "a batch of ${batch_size} examples" if asked else "a batch"
        momentum = f', {group}["momentum"]' if self.momentum_formula else ""
        lines = [
            "for step in range(${steps}):",
            f'    print(step, {group}["lr"]{momentum})',
            f"    # your training: {batch}, its loss, loss.backward()",
            "    optimizer.step()",
        ]
        if self.metric:
            names = [name for name in _parameters(self.metric) if name in self.start]
            given = "".join(f", {name}=${{{name}}}" for name in names)
            return [*lines, f"    scheduler.step({self.metric.__name__}(step{given}))"]
        if self.start["every"] == 1 and "every" not in self.widgets:
            return [*lines, "    scheduler.step()"]
        return [*lines, "    if (step + 1) % ${every} == 0:", "        scheduler.step()"]

    def texts(self, values):
        """Every value as Python source, and the source of those that are functions."""
        found = {}
        for name, value in values.items():
            found[name] = value.__name__ if callable(value) else repr(value)
            if callable(value):
                found[name + "_source"] = definition(value)
        return found

    def code(self, values):
        """Torch code that gives the curve of `values`, ready to copy."""
        return string.Template(self.code_template()).substitute(self.texts(values))

    def _is_function(self, name):
        return callable(self.start[name])


RANGES = (ipywidgets.IntSlider, ipywidgets.FloatSlider, ipywidgets.FloatLogSlider)
CONTROLS = (*RANGES, ipywidgets.Dropdown, ipywidgets.Checkbox, ipywidgets.fixed)


def summary(rates, losses):
    """The curve in words, for those who cannot see it. Plain Python: the page runs it too."""
    last = len(rates) - 1
    text = f"Learning rate {rates[0]:.3g} at step 0, {rates[last]:.3g} at step {last}"
    if max(rates) > max(rates[0], rates[last]):
        text += f", highest {max(rates):.3g}"
    if min(rates) < min(rates[0], rates[last]):
        text += f", lowest {min(rates):.3g}"
    loss = losses[len(losses) - 1]
    return text + f". Expected loss after {last + 1} steps: {loss:.3g}."


def read(widget):
    """A control's value, freed of the binary dust that slider steps leave (0.30000000000000004)."""
    if isinstance(widget, ipywidgets.FloatLogSlider):
        return float(f"{widget.value:.4g}")
    if isinstance(widget, ipywidgets.FloatSlider):
        return round(widget.value, decimals(widget))
    return widget.value


def ends(widget):
    """The extreme values of a range; every value of a menu or check box."""
    if isinstance(widget, ipywidgets.FloatLogSlider):
        return [float(f"{widget.base**x:.4g}") for x in (widget.min, widget.max)]
    if isinstance(widget, RANGES):
        return [widget.min, widget.max]
    if isinstance(widget, ipywidgets.Dropdown):
        return [value for _, value in options(widget)]
    return [False, True]


def options(menu):
    """The (label, value) pairs of a Dropdown, which takes them in three forms."""
    given = menu.options
    if isinstance(given, dict):
        return list(given.items())
    if all(isinstance(option, (list, tuple)) and len(option) == 2 for option in given):
        return list(given)
    return [(str(option), option) for option in given]


def decimals(slider):
    """How many decimals a float slider's values need: those of its step and of its minimum."""
    texts = [f"{number:.10f}".rstrip("0") for number in (slider.step, slider.min)]
    return max(len(text.split(".")[1]) for text in texts)


def first_difference(got, wanted):
    """The first step at which two curves differ by more than rounding, or None."""
    scale = max([abs(x) for x in wanted], default=0)
    for t in range(min(len(got), len(wanted))):
        if not math.isclose(got[t], wanted[t], rel_tol=1e-9, abs_tol=1e-12 * scale):
            return t
    return None if len(got) == len(wanted) else min(len(got), len(wanted))


def _require_def(name, function, other=""):
    # a page and the code to copy need a name and a source
    if not (inspect.isfunction(function) and function.__name__.isidentifier()):
        raise TypeError(
            f"explore: {name}={function!r}: allowed is {other}a function that is made with def"
        )


def _parameters(function, skip=("t",)):
    """Names and defaults of a function's parameters; none for None."""
    if function is None:
        return {}
    parameters = inspect.signature(function).parameters
    return {name: p.default for name, p in parameters.items() if name not in skip}


def _set_start(widget, wanted):
    """Start at the value wanted if the control offers it, else in the middle of a range."""
    if isinstance(widget, ipywidgets.Dropdown):
        if wanted in [value for _, value in options(widget)]:
            widget.value = wanted
    elif isinstance(widget, ipywidgets.FloatLogSlider):
        widget.value = widget.base ** on_grid(widget, math.log(wanted, widget.base))
    elif isinstance(widget, RANGES):
        offered = isinstance(wanted, (int, float)) and widget.min <= wanted <= widget.max
        start = wanted if offered else (widget.min + widget.max) / 2
        widget.value = type(widget.min)(on_grid(widget, start))


def on_grid(slider, number):
    """The number nearest to it on which an HTML slider can stand: min + k * step up to max."""
    last = math.floor((slider.max - slider.min) / slider.step + 1e-9)
    return slider.min + min(round((number - slider.min) / slider.step), last) * slider.step
