"""Submissions and outcomes as `collect` and `worker` make them, for tests that grade nothing."""

import csv
from pathlib import Path

from classroom import report
from classroom.collect import Submission

FOLDER = Path("in")


def question(name, points, of=2.0, **more):
    made = {"id": name, "heading": "", "points": points, "of": of, "message": "", "answers": []}
    return made | {"written": "", "rubric": []} | more


def written(text, points=None, of=5.0, name="ps4-explain", **more):
    return question(name, points, of, written=text, **more)


def submission(student, number="", name="ps4", path="ps4.ipynb", digest="0"):
    return Submission(student, number, name, FOLDER / path, digest)


def outcome(*questions):
    return {"status": "graded", "reason": "", "notes": [], "questions": list(questions)}


def write(target, graded, **more):
    """`report.write` for {submission key: ...} given as [(submission, outcome), ...]."""
    outcomes = {one.key: made for one, made in graded}
    return report.write(target, FOLDER, [one for one, _ in graded], outcomes, **more)


def table(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(path, changes, row=0, delimiter=",", encoding="utf-8-sig"):
    """Fill in a row of a file, as a spreadsheet would save it."""
    rows = table(path)
    rows[row] |= changes
    with open(path, "w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
