"""Checks for the exercises: they say where an answer first goes wrong, not only that it does."""

import math


def check(answer, expected, tolerance=1e-9):
    """Compare an answer with what is expected, print the verdict and return True or False.

    `expected` is a number, or a list of learning rates, one per step. `answer` is the same, or
    a function of the step t that returns one rate. A wrong answer is reported by the first step
    that differs, with the value expected there and the value got. `tolerance` is relative.
    """
    single = isinstance(expected, (int, float))
    wanted = [expected] if single else expected
    if callable(answer):
        given = [answer(t) for t in range(len(wanted))]
    elif isinstance(answer, (list, tuple)) and not single:
        given = answer
    elif single:
        given = [answer]
    else:
        return _wrong(f"expected {len(wanted)} rates in a list, got {answer!r}.")

    for t in range(min(len(given), len(wanted))):
        where = "" if single else f"step {t}: "
        number = _number(given[t])
        if number is None:
            return _wrong(f"{where}expected {_text(wanted[t])}, got {given[t]!r}, which is no number.")
        # the negation catches NaN, which is neither close nor far
        if not abs(number - wanted[t]) <= tolerance * max(abs(wanted[t]), abs(number)):
            return _wrong(f"{where}expected {_text(wanted[t])}, got {_text(number)}.")
    if len(given) != len(wanted):
        return _wrong(f"expected {len(wanted)} rates, got {len(given)}.")
    print("Correct." if single else f"Correct: all {len(wanted)} steps agree.")
    return True


def _wrong(message):
    print("Not yet: " + message)
    return False


def _number(value):
    # float() and not ==: an object may claim to equal anything
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _text(number):
    return f"{number:.10g}" if math.isfinite(number) else str(number)
