"""The checks of a problem set: what of each runs among a student's code, and what never does.

The cell of a check has two parts, and the line `# compare` between them. The first calls the
answers and leaves `got`: numbers and texts, in lists. It runs in the sandbox, for there the answers
are. The second compares `got`, and runs here, where nothing of a student does. What it knows is
`got`, the names of the set-up cell, and the plain values that the first part names (such as
`tries = [0.1, 0.2]`): these are taken from the problem set, never from the sandbox.
"""

import ast
import contextlib
import functools
import io
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import nbformat

from classroom.course import CourseError

COMPARE = "# compare"
HIDDEN = "### BEGIN HIDDEN TESTS"
MESSAGE = 600  # characters of what a check says


@dataclass
class Check:
    """The cell of a check, from the source of a problem set."""

    grade_id: str
    points: float
    answer: str  # the grade_id of the last answer in code above it
    first: str  # runs among the student's code, and leaves `got`
    second: str  # compares it
    is_hidden: bool  # whether students never see the first part


@dataclass
class Teachers:
    """What the teacher's notebook of a problem set holds."""

    setup: str  # source of the first cell, which holds the imports and what the checks use
    answers: dict  # source of each answer in code, by grade_id
    checks: list
    rubrics: dict  # for each written answer, by grade_id: [points, text] for each of its points


@functools.cache
def teachers(course, name):
    """Read the source of the problem set `name`. Raises CourseError for a check that has no parts.

    It is read once by a process and shared: change nothing in it.
    """
    notebook = nbformat.read(Path(course, "source", name, f"{name}.ipynb"), as_version=4)
    known = [(cell.metadata["nbgrader"], cell) for cell in notebook.cells
             if "nbgrader" in cell.metadata]  # fmt: skip
    data, cell = known[0]
    if not data["locked"] or data["grade"]:
        raise CourseError(f"{data['grade_id']}: a problem set begins with a locked set-up cell")
    found = Teachers(cell.source, {}, [], {})
    answer = ""
    for data, cell in known:
        if data["solution"] and data["grade"]:
            found.rubrics[data["grade_id"]] = rubric(cell.source)
        elif data["solution"]:
            answer = data["grade_id"]
            found.answers[answer] = cell.source
        elif data["grade"]:
            first, second = parts(cell.source, data["grade_id"])
            check = Check(data["grade_id"], data["points"], answer, first, second, HIDDEN in first)
            found.checks.append(check)
    return found


def parts(source, grade_id):
    """The two parts of a check, out of the block `with trying(...):` that shows it to students.

    Raises CourseError if there is no line `# compare`, or the first part leaves no `got`.
    """
    lines = source.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("with trying(")]
    if starts:
        lines = textwrap.dedent("\n".join(lines[starts[0] + 1 :])).splitlines()
    if lines.count(COMPARE) != 1:
        raise CourseError(f"{grade_id}: a check needs one line {COMPARE!r}, between its two parts")
    at = lines.index(COMPARE)
    first, second = "\n".join(lines[:at]), "\n".join(lines[at:])
    if "got" not in names_set(first):
        raise CourseError(f"{grade_id}: the part above {COMPARE!r} must set `got`")
    return first, second


def rubric(source):
    """What a full answer holds, from lines such as `- [1] it was measured`: [points, text]."""
    lines = re.findall(r"^- \[([\d.]+)\] (.+(?:\n  .+)*)", source, re.MULTILINE)
    return [[float(points), " ".join(text.split())] for points, text in lines]


def names_set(source):
    """The names that code sets at its top level: {name: the last value, as a node}."""
    return {
        target.id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def plain_values(source):
    """The names that code sets to values that can be read without running it, except `got`."""
    found = {}
    for name, node in names_set(source).items():
        with contextlib.suppress(ValueError):
            found[name] = ast.literal_eval(node)
    found.pop("got", None)
    return found


class Judge:
    """Compares what came out of the sandbox, among the names of the teacher's set-up cell."""

    def __init__(self, setup):
        self.names = {"__name__": "__main__"}
        exec(setup, self.names)

    def compare(self, check, got):
        """Whether `got` is right, and what the check says of it.

        What was got is left out for a hidden check: it could be made of what that check asks.
        """
        names = {**self.names, **plain_values(check.first), "got": got}
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                exec(compile(check.second, check.grade_id, "exec"), names)
        except AssertionError as error:
            message = (str(error) or "a check failed")[:MESSAGE]
            return False, message.partition(", got ")[0] if check.is_hidden else message
        except Exception as error:  # such as a text where a number is expected
            message = "" if check.is_hidden else f": {error}"
            return False, f"{type(error).__name__}{message}"[:MESSAGE]
        lines = dict.fromkeys(said.getvalue().splitlines())  # each once
        return True, "\n".join(lines)[:MESSAGE]


@functools.cache
def judge(course, name):
    """The judge of a problem set, made once by a process: a batch makes it before it forks."""
    return Judge(teachers(course, name).setup)
