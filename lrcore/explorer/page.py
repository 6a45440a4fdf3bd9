"""The explorer without a kernel: one piece of HTML that needs no server and no network.

The formulas are not written twice: PScript compiles the Python functions to JavaScript.
"""

import hashlib
import html as escaping
import inspect
import json
import math
from importlib.resources import files

import ipywidgets

from lrcore.explorer.model import on_grid, options, summary
from lrcore.plotting import PATH_WINDOW, embedded, path_contours
from lrcore.sources import definition, source
from lrcore.toy import expected_losses, noisy_path


def html(explorer):
    """The explorer as self-contained HTML, or None where PScript is not installed (Colab)."""
    code = script(explorer)
    if code is None:
        return None
    curves = explorer.curves(explorer.start)
    picture = embedded(explorer.picture(curves))
    words = escaping.escape(summary(curves.rate, curves.loss))
    # the same explorer always has the same name, so that stored outputs do not change
    name = "lr-explorer-" + hashlib.sha256(code.encode()).hexdigest()[:8]
    code += f'start(document.querySelector("#{name}:not([data-ready])"), model);'
    return PAGE.format(
        id=name,
        title=escaping.escape(explorer.name),
        formula=explorer.formula.__name__,
        call=escaping.escape(_python_call(explorer)),
        style=files("lrcore.explorer").joinpath("explorer.css").read_text(),
        controls="\n".join(
            _control(n, w, explorer.start[n], name) for n, w in explorer.widgets.items()
        ),
        last=explorer.start["steps"] - 1,
        play=PLAY if explorer.path else "",
        picture=picture,
        summary=words,
        code=escaping.escape(explorer.code(explorer.start)),
        script=code.replace("</", "<\\/"),
    )


def script(explorer):
    """The explorer's JavaScript, or None where PScript is not installed (Colab).

    Raises ValueError for a function that PScript cannot compile, or that uses what a page lacks.
    """
    try:
        from pscript import JSError, Parser
    except ImportError:
        return None
    try:
        compiled = Parser(_sources(_functions(explorer)))
    except JSError as e:
        raise ValueError(f"explore: a page cannot run these functions: {e}") from e
    used = {use for _, uses in compiled.vars.get_undefined() for use in uses}
    missing = sorted(used - {f"math.{name}" for name in MATH})
    if missing:
        raise ValueError(
            f"explore: the functions of {explorer.name} use {', '.join(missing)}; a page has only "
            "simple Python, numbers, strings, lists and math's " + ", ".join(MATH)
        )
    folder = files("lrcore.explorer")
    library = "\n".join(folder.joinpath(name).read_text() for name in ("draw.js", "explorer.js"))
    return "\n".join(
        [
            f"const math = {_object(MATH)};",
            compiled.dump(),
            library,
            f"const model = {_model(explorer)};",
            "",
        ]
    )


# Python's math for the functions of a page, in JavaScript
MATH = {
    **{name: f"Math.{name}" for name in ("cos", "sin", "tan", "exp", "log", "log2", "log10")},
    **{name: f"Math.{name}" for name in ("sqrt", "pow", "floor", "ceil", "tanh")},
    "pi": "Math.PI",
    "e": "Math.E",
    "inf": "Infinity",
    "isnan": "Number.isNaN",
    "isfinite": "Number.isFinite",
}


PAGE = """<div class="lr-explorer" id="{id}" role="group" aria-label="Explorer of {title}"
data-formula="{formula}" data-call="{call}">
<style>
{style}</style>
<div class="lr-inside">
<div class="lr-stage">
<img class="lr-fallback" alt="{summary}" src="{picture}">
<div class="lr-panels"></div>
<div class="lr-read lr-live" hidden><label for="{id}-at">read at step</label>
<input type="range" class="lr-at" id="{id}-at" min="0" max="{last}" value="{last}">
{play}<p class="lr-reading"></p></div>
</div>
<form class="lr-controls lr-live" autocomplete="off" hidden>
{controls}
<div class="lr-buttons"><button type="button" class="lr-pin">Pin this curve</button>
<button type="button" class="lr-reset">Reset</button>
<button type="button" class="lr-link">Copy a link</button>
<label><input type="checkbox" class="lr-log" autocomplete="off"> logarithmic rate</label></div>
</form>
<ul class="lr-legend" aria-label="Curves"></ul>
<p class="lr-message" role="alert" hidden></p>
<p class="lr-summary" aria-live="polite">{summary}</p>
<div class="lr-code-box"><p>This curve in PyTorch, as a program
<button type="button" class="lr-copy lr-live" hidden>Copy</button></p>
<pre class="lr-code" tabindex="0">{code}</pre></div>
</div>
<script>
(() => {{
"use strict";
{script}
}})();
</script>
</div>
"""

PLAY = """<button type="button" class="lr-play">Play</button>
"""


def _control(name, widget, value, prefix):
    """One native input with its label, and beside them what a slider stands at."""
    own = f'id="{prefix}-{name}" name="{name}"'
    shown = f'<output for="{prefix}-{name}">{value}</output>'
    if isinstance(widget, ipywidgets.Dropdown):
        rows = "".join(
            f'<option value="{i}"{" selected" if option == value else ""}>'
            f"{escaping.escape(label)}</option>"
            for i, (label, option) in enumerate(options(widget))
        )
        field, shown = f"<select {own}>{rows}</select>", ""
    elif isinstance(widget, ipywidgets.Checkbox):
        field = f'<input type="checkbox" {own}{" checked" if value else ""}>'
    else:
        log = isinstance(widget, ipywidgets.FloatLogSlider)
        now = round(on_grid(widget, math.log(value, widget.base)), 9) if log else value
        base = f' data-base="{widget.base:g}"' if log else ""
        field = (
            f'<input type="range" {own} min="{widget.min}" max="{widget.max}" '
            f'step="{widget.step}" value="{now}"{base}>'
        )
    label = f'<label for="{prefix}-{name}">{name}</label>'
    return f'<div class="lr-row">{label}{field}{shown}</div>'


def _model(explorer):
    """What `start` in explorer.js needs, as a JavaScript object."""
    menus = {
        name: [_option(value) for _, value in options(widget)]
        for name, widget in explorer.widgets.items()
        if isinstance(widget, ipywidgets.Dropdown)
    }
    fixed = {name: _option(value) for name, value in explorer.fixed.items()}
    noise = "NOISE_VARIANCE / v.batch_size"
    entries = {
        "fixed": _object({name: _object(option) for name, option in fixed.items()}),
        "menus": _object({n: "[" + ", ".join(map(_object, m)) + "]" for n, m in menus.items()}),
        "rate": _call(explorer, explorer.formula),
        "momentum": _call(explorer, explorer.momentum_formula),
        "metric": _call(explorer, explorer.metric),
        "panels": json.dumps([panel._asdict() for panel in explorer.panels]),
        "losses": f"(rates, v) => expected_losses(rates, CURVATURES, {noise}, START)",
        "path": _path(noise) if explorer.path else "null",
        "summary": "summary",
        "name": json.dumps(explorer.name),
        "code": json.dumps(explorer.code_template()),
    }
    return _object(entries)


def _path(noise):
    """What the panel of the path needs: the run's places, what is in sight, and the contours."""
    return _object(
        {
            "places": f"(rates, v) => noisy_path(rates, PATH_CURVATURES, {noise}, START, 1)",
            "window": json.dumps(PATH_WINDOW),
            "contours": json.dumps(path_contours()),
        }
    )


def _object(entries):
    return "{" + ", ".join(f"{name}: {value}" for name, value in entries.items()) + "}"


def _option(value):
    """A value in both languages: for the formula in JavaScript, for the code to copy in Python."""
    if callable(value):
        name = value.__name__
        return {"value": name, "text": json.dumps(name), "source": json.dumps(definition(value))}
    return {"value": json.dumps(value), "text": json.dumps(repr(value)), "source": '""'}


def _call(explorer, function):
    """A JavaScript function (t, v, metrics) that calls a formula with the values v."""
    if function is None:
        return "null"
    arguments = ["t"]
    for name, default in explorer.arguments(function).values():
        if name == "metrics":
            arguments.append("metrics")
        elif name in explorer.start:
            arguments.append("v." + name)
        else:
            arguments.append(json.dumps(default))
    return f"(t, v, metrics) => {function.__name__}({', '.join(arguments)})"


def _python_call(explorer):
    """Python text that calls the formula at step t, with ${name} where a value belongs."""
    given = ["t // ${every}"]
    for name, default in explorer.arguments(explorer.formula).values():
        known = name == "metrics" or name in explorer.start
        given.append("${" + name + "}" if known else repr(default))
    return f"{explorer.formula.__name__}({', '.join(given)})"


def _functions(explorer):
    """Every Python function that the page needs, those they call included."""
    wanted = [explorer.formula, explorer.momentum_formula, explorer.metric]
    wanted += [value for value in explorer.fixed.values() if callable(value)]
    for widget in explorer.widgets.values():
        if isinstance(widget, ipywidgets.Dropdown):
            wanted += [value for _, value in options(widget) if callable(value)]
    wanted += [expected_losses, summary, noisy_path if explorer.path else None]
    return [function for function in wanted if function is not None]


def _sources(functions):
    """The Python source of the functions and of all they refer to, ready for PScript."""
    sources = {}
    while functions:
        function = functions.pop()
        if function.__name__ in sources:
            continue
        sources[function.__name__], used = source(function)
        for name, value in used.items():
            if inspect.isfunction(value):
                functions.append(value)
            elif isinstance(value, (int, float, str, tuple, list)):
                sources[name] = f"{name} = {value!r}"
    return "\n\n".join(sources[name] for name in sorted(sources))
