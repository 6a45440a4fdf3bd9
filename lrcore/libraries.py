"""What the schedules of other libraries give, as recorded by `make libraries`.

`libraries.json` holds one row for each call that was run: the library, the call, and the rate that
each step used. A family is a schedule of the book with the calls that are compared with it.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lrcore import formulas

FILE = Path(__file__).with_name("libraries.json")
SINGLE = {"Optax", "Keras"}  # these compute rates with single precision, of seven digits
TOLERANCE = {True: 1e-6, False: 1e-9}  # of the highest rate, with single precision or without


class Row(NamedTuple):
    """One call of one library, and the rate that each step used."""

    library: str
    variant: str  # what sets the call apart from the library's first one in the family, or ""
    call: str
    rates: list[float]


@cache
def recorded():
    """Everything in libraries.json, as it is stored."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def versions():
    """The versions that were run.

    Returns:
        {library: version}, both as text.

    Example:
        >>> versions()["PyTorch"]
        '2.13.0'
    """
    return dict(recorded()["versions"])


def names():
    """What each library calls its schedules.

    Returns:
        {library: list of names}. Those of transformers are for its `get_scheduler`.

    Example:
        >>> names()["Keras"][:2]
        ['CosineDecay', 'CosineDecayRestarts']
    """
    return dict(recorded()["names"])


def metrics(family):
    """What the plateau schedules of a family were shown.

    Args:
        family: one of `families()`.

    Returns:
        A list of metrics, one for each epoch, or None for a family without them.

    Raises:
        ValueError: no family has that name.

    Example:
        >>> metrics("plateau")[8:11]
        [0.6, 0.55, 0.55]
    """
    return recorded()["metrics"].get(_family(family)["parameters"].get("metrics"))


def _family(name):
    if name not in families():
        raise ValueError(f"family={name!r}: allowed is one of {', '.join(families())}")
    return recorded()["families"][name]


def families():
    """The names of all families.

    Returns:
        A list of names, in the order of the chapter.

    Example:
        >>> families()[:2]
        ['constant', 'constant with warm-up']
    """
    return list(recorded()["families"])


def rows(family):
    """The calls that were run for one family.

    Args:
        family: one of `families()`.

    Returns:
        A list of `Row`: library, variant, call, rates.

    Raises:
        ValueError: no family has that name.

    Example:
        >>> row = rows("multi-step")[1]
        >>> row.library, row.rates[18:21]
        ('timm', [0.1, 0.05, 0.05])
    """
    _family(family)
    return [
        Row(row["library"], row["variant"], row["call"], row["rates"])
        for row in recorded()["rows"]
        if row["family"] == family
    ]


def in_the_book(family):
    """The schedule of the book that a family is compared with.

    Args:
        family: one of `families()`.

    Returns:
        The call of a function of `lrcore.formulas`, as text, and its rates: 60 of them, or as many
        as the schedule has. An argument `every` is no part of the function: it is the number of
        optimizer steps for each step of the schedule.

    Raises:
        ValueError: no family has that name.

    Example:
        >>> call, rates = in_the_book("step")
        >>> call
        'step_lr(t, 0.1, step_size=20, gamma=0.5)'
        >>> rates[19:21]
        [0.1, 0.05]
    """
    found = _family(family)
    parameters = dict(found["parameters"])
    every = parameters.pop("every", 1)
    t = "t" if every == 1 else f"t // {every}"
    shown = [t, str(recorded()["base_lr"])]
    shown += [f"{name}={short(value)}" for name, value in parameters.items()]
    if "metrics" in parameters:
        parameters["metrics"] = metrics(family)
    schedule, rates = getattr(formulas, found["schedule"]), []
    for step in range(60):
        try:
            rates.append(schedule(step // every, recorded()["base_lr"], **parameters))
        except ValueError:  # one_cycle_lr, after its end
            break
    return f"{found['schedule']}({', '.join(shown)})", rates


def short(value):
    """A value as it is written in a call, with few digits."""
    if isinstance(value, float):
        return f"{value:.4g}" if value != int(value) else str(value)
    return value if isinstance(value, str) and value in recorded()["metrics"] else repr(value)


def against(rates, wanted, tolerance=TOLERANCE[False]):
    """Where rates are others than those that are wanted, in words.

    Args:
        rates: rates of the steps 0, 1, ... .
        wanted: the rates they are compared with. Steps that one of the lists lacks do not count.
        tolerance: the difference that is allowed, as a share of the highest wanted rate.

    Returns:
        "equal", "one step early", "one step late" (for every step but the first; one that starts
        with zero says so), or the steps at which they are others.

    Example:
        >>> wanted = [0.4, 0.3, 0.2, 0.1, 0.0]
        >>> against([0.4, 0.3, 0.2, 0.0, 0.0], wanted)
        'other at step 3'
        >>> against([0.0, 0.4, 0.3, 0.2, 0.1], wanted)
        'one step late, after a step with 0'
    """
    allowed = tolerance * max(wanted)

    def differing(rates, wanted):
        pairs = zip(rates, wanted, strict=False)
        return [t for t, (rate, other) in enumerate(pairs) if not abs(rate - other) <= allowed]

    steps = differing(rates, wanted)
    if not steps:
        return "equal"
    if not differing(rates, wanted[1:]):
        return "one step early"
    if not differing(rates[1:], wanted):
        return "one step late" + (", after a step with 0" if rates[0] == 0 else "")
    last = min(len(rates), len(wanted)) - 1
    return "other " + " and ".join(stretch(*ends, last) for ends in runs(steps))


def stretch(first, end, last):
    """The steps from first to end in words, where `last` is the last of all."""
    if first == end:
        return f"at step {first}"
    if end == last:
        return f"from step {first} on" if first else "at every step"
    return f"at steps {first} to {end}"


def runs(steps):
    """Rising whole numbers as pairs (first, last) of stretches without a gap."""
    found = []
    for step in steps:
        if found and step == found[-1][1] + 1:
            found[-1] = (found[-1][0], step)
        else:
            found.append((step, step))
    return found


def compared(family):
    """How every call of a family compares with the schedule of the book.

    Args:
        family: one of `families()`.

    Returns:
        A list of (`Row`, text): the text is that of `against`.

    Raises:
        ValueError: no family has that name.

    Example:
        >>> [text for row, text in compared("multi-step")][:3]
        ['equal', 'one step early', 'equal']
    """
    _, wanted = in_the_book(family)
    return [
        (row, against(row.rates, wanted, TOLERANCE[row.library in SINGLE]))
        for row in rows(family)
    ]
