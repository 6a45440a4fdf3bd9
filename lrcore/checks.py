"""Checks for the exercises: they say where an answer first goes wrong, not only that it does."""

import math

TOLERANCE = 1e-6  # float32 has seven digits, and who rounds to six is right too


def check(answer, expected, tolerance=TOLERANCE, start=0):
    """Print whether an answer to an exercise is right and, if not, what is wrong.

    Args:
        answer: a number; a list, array or tensor of learning rates, one per step; a function of
            the step t that returns one rate; or a function of nothing that returns any of these,
            so that an error on the way there is told too.
        expected: a number, or a list of learning rates.
        tolerance: relative; near 0, a tenth of it counts from the largest rate.
        start: the step that the first of the rates belongs to, where they are not all.

    Returns:
        None. What is wrong is the first step that differs, or the error that a function raised.

    Example:
        >>> check([0.5, 0.25], [0.5, 0.25])
        Correct: all 2 steps agree.
        >>> check(lambda t: 0.5, [0.5, 0.25])
        Not yet: step 1: expected 0.25, got 0.5.
    """
    wrong = mistake(answer, expected, tolerance, start)
    if wrong:
        print("Not yet: " + wrong)
    elif isinstance(expected, (int, float)):
        print("Correct.")
    else:
        print(f"Correct: all {len(expected)} steps agree.")


def mistake(answer, expected, tolerance=TOLERANCE, start=0):
    """Compare an answer with what is expected, as `check` does.

    Returns what is wrong in words, "" if nothing is.
    """
    single = isinstance(expected, (int, float))
    wanted = [expected] if single else expected
    if callable(answer) and _takes_nothing(answer):
        try:
            answer = answer()
        except Exception as error:
            return f"your function raised {_named(error)}."
    if answer is ... or isinstance(answer, list) and any(one is ... for one in answer):
        return "there is no answer yet in the place of the dots."
    raised = ""
    if callable(answer):
        given, raised = _ask(answer, start, len(wanted))
    else:
        given = [answer] if single else _as_list(answer)
    if given is None:
        return f"expected {len(wanted)} rates in a list, got {answer!r}."

    largest = max([abs(number) for number in wanted if abs(number) < math.inf] + [0])
    for i in range(min(len(given), len(wanted))):
        where = "" if single else f"step {start + i}: "
        number = _number(given[i])
        if number is None:
            return f"{where}expected {wanted[i]:.10g}, got {given[i]!r}, which is no number."
        if not _close(number, wanted[i], tolerance, largest):
            return f"{where}expected {_text(wanted[i], number)}, got {_text(number, wanted[i])}."
    if raised:
        return f"step {start + len(given)}: your function raised {raised}."
    if len(given) != len(wanted):
        return f"expected {len(wanted)} rates, got {len(given)}."
    return ""


def _takes_nothing(function):
    code = getattr(function, "__code__", None)  # built-in functions and objects have none
    return getattr(code, "co_argcount", 1) == 0


def _ask(function, start, count):
    """What a function of the step gives for some steps, and the error that ended it, in words."""
    given = []
    try:
        for t in range(start, start + count):
            given.append(function(t))
    except Exception as error:
        return given, _named(error)
    return given, ""


def _as_list(answer):
    """A list, tuple, array or tensor as a list; None for anything else."""
    if hasattr(answer, "tolist"):
        answer = answer.tolist()
    return list(answer) if isinstance(answer, (list, tuple)) else None


def _named(error):
    return f"{type(error).__name__}: {error}"


def _number(value):
    # float() and not ==: an object may claim to equal anything
    try:
        return None if isinstance(value, str) else float(value)
    except Exception:  # many kinds: a tensor of two numbers raises RuntimeError
        return None


def _close(got, wanted, tolerance, largest):
    size = max(abs(got), abs(wanted))
    if not size < math.inf:  # infinity is close to itself only, and NaN to nothing
        return got == wanted
    return abs(got - wanted) <= tolerance * max(size, 0.1 * largest)


def _text(number, other):
    """A number with ten digits, and with all where `other` would look the same."""
    if not math.isfinite(number):
        return str(number)
    text = f"{number:.10g}"
    return repr(float(number)) if text == f"{other:.10g}" else text
