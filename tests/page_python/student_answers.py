"""Answers to the exercises as students give them: answers/CHAPTER.txt holds those of a chapter.

Each begins with a line that says to which exercise it belongs, whether it is right, and what kind
it is; a wrong one goes on with what the reader must be told. What follows is all that stands in the
exercise's cell.

    # %% 1 wrong: counts from one
    # says: step 0: expected 0.5, got 0.25
    def my_rate(t): ...

"[colab]" at the end of the first line marks an answer that a page cannot run, such as one with
tensors.
"""

import ast
import contextlib
import io
import re
import traceback
from functools import cache
from pathlib import Path
from typing import NamedTuple

import nbformat
from conftest import ROOT

from book.page_python.exercises import exercises

FOLDER = Path(__file__).parent / "answers"
BEGIN = re.compile(r"^# %% (\d+) (right|wrong): (.+?)( \[colab\])?\n", re.M)
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


class Answer(NamedTuple):
    chapter: str
    number: int
    right: bool
    kind: str
    colab: bool
    says: str  # part of what a reader is told of a wrong answer
    text: str


@cache
def exercises_of(chapter):
    """{number: exercise} of a chapter."""
    notebook = nbformat.read(ROOT / "chapters" / f"{chapter}.ipynb", as_version=4)
    return {exercise.number: exercise for exercise in exercises(notebook)}


def all_exercises():
    """(chapter, exercise) for all exercises of the book that have a solution."""
    return [
        (path.stem, exercise)
        for path in CHAPTERS
        for exercise in exercises_of(path.stem).values()
        if exercise.solution
    ]


def all_answers():
    return [answer for path in sorted(FOLDER.glob("*.txt")) for answer in read(path)]


def read(path):
    parts = BEGIN.split(path.read_text(encoding="utf-8"))
    assert parts[0].strip() == "", f"{path}: it must begin with '# %% 1 right: ...'"
    for number, right, kind, colab, text in zip(*[iter(parts[1:])] * 5, strict=True):
        says = re.match(r"# says: (.+)\n", text)
        assert bool(says) == (right == "wrong"), (
            f"{path}: {number} {kind}: what is the reader told?"
        )
        text = text[says.end() :] if says else text
        yield Answer(
            path.stem, int(number), right == "right", kind, bool(colab),
            says[1] if says else "", text.strip() + "\n",
        )  # fmt: skip


def solved(exercise):
    """The starter with the solution in the place of its checks."""
    lines = exercise.starter.splitlines()
    for node in ast.parse(exercise.starter).body:
        if isinstance(node, ast.Expr) and ast.unparse(node).startswith("check("):
            for i in range(node.lineno - 1, node.end_lineno):
                lines[i] = ""
    return "\n".join(lines).rstrip() + "\n\n\n" + exercise.solution


def cells(exercise, text):
    """What runs when a reader checks `text`: (name, code) of each cell."""
    return [("before", exercise.context), ("answer", text)]


def told(exercise, text):
    """What CPython with the real torch tells of an answer: what it prints, and the last error."""
    names, printed = {"__name__": "__main__"}, io.StringIO()
    for name, code in cells(exercise, text):
        with contextlib.redirect_stdout(printed):
            try:
                exec(compile(code, f"<{name}>", "exec"), names)
            except Exception as error:
                last = traceback.format_exception_only(error)[-1].strip()
                lines = [
                    frame.lineno
                    for frame in traceback.extract_tb(error.__traceback__)
                    if frame.filename == "<answer>"
                ]
                if isinstance(error, SyntaxError) and error.filename == "<answer>":
                    lines = [error.lineno]
                where = f"Line {lines[-1]}: " if lines else ""
                printed.write(where + last)
                break
        if name == "before":
            printed = io.StringIO()
    return printed.getvalue().strip()
