"""Checks for the exercises: they say where an answer first goes wrong, not only that it does."""

import math


def check(answer, expected, tolerance=1e-9):
    """Print whether an answer to an exercise is right and, if not, what is wrong.

    Args:
        answer: a number, a list of learning rates, one per step, or a function of the step
            t that returns one rate.
        expected: a number, or a list of learning rates.
        tolerance: relative; near 0, a thousandth of it counts from the largest rate.

    Returns:
        None. What is wrong is the first step that differs, or the error that a function raised.

    Example:
        >>> check([0.5, 0.25], [0.5, 0.25])
        Correct: all 2 steps agree.
        >>> check(lambda t: 0.5, [0.5, 0.25])
        Not yet: step 1: expected 0.25, got 0.5.
    """
    wrong = mistake(answer, expected, tolerance)
    if wrong:
        print("Not yet: " + wrong)
    elif isinstance(expected, (int, float)):
        print("Correct.")
    else:
        print(f"Correct: all {len(expected)} steps agree.")


def mistake(answer, expected, tolerance=1e-9):
    """Compare an answer with what is expected; return what is wrong in words, "" if nothing is.

    `expected` is a number, or a list of learning rates, one per step. `answer` is the same, or
    a function of the step t that returns one rate. A wrong answer is reported by the first step
    that differs, with the value expected there and the value got, or the error that a function
    raised. `tolerance` is relative; near 0, a thousandth of it counts from the largest rate.
    """
    single = isinstance(expected, (int, float))
    wanted = [expected] if single else expected
    raised = ""
    if callable(answer):
        given = []
        try:
            for t in range(len(wanted)):
                given.append(answer(t))
        except Exception as error:
            raised = repr(error)
    elif isinstance(answer, (list, tuple)) and not single:
        given = answer
    elif single:
        given = [answer]
    else:
        return f"expected {len(wanted)} rates in a list, got {answer!r}."

    largest = max([abs(number) for number in wanted if abs(number) < math.inf] + [0])
    for t in range(min(len(given), len(wanted))):
        where = "" if single else f"step {t}: "
        number = _number(given[t])
        got = f"{given[t]!r}, which is no number" if number is None else _text(number)
        if number is None or not _close(number, wanted[t], tolerance, largest):
            return f"{where}expected {_text(wanted[t])}, got {got}."
    if raised:
        return f"step {len(given)}: your function raised {raised}."
    if len(given) != len(wanted):
        return f"expected {len(wanted)} rates, got {len(given)}."
    return ""


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
    return abs(got - wanted) <= tolerance * max(size, 0.001 * largest)


def _text(number):
    return f"{number:.10g}" if math.isfinite(number) else str(number)
