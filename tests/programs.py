"""The programs that explorers offer to copy, run as a reader would: untouched."""

import contextlib
import io


def run_program(code):
    """What a program prints of every step (the rate and, if a scheduler moves it, the momentum),
    and the error that ended it, or None."""
    printed, ended = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, "<copied>", "exec"), {"__name__": "__main__"})
        except Exception as error:  # torch raises many kinds
            ended = error
    rows = [line.split() for line in printed.getvalue().splitlines()]
    assert [int(step) for step, *_ in rows] == list(range(len(rows)))
    return [[float(number) for number in numbers] for _, *numbers in rows], ended
