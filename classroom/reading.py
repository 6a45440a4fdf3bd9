"""The page on which a teacher reads the written answers and gives points: written.html."""

import base64
import hashlib
from pathlib import Path

from classroom.filled import WRITTEN, key_of, points_of_check
from classroom.pages import render
from classroom.tables import FORMULA, cells

LONG = 1500  # words: the page folds a longer answer
SCRIPT = Path(__file__).with_name("reading.js").read_text(encoding="utf-8")
HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()


def reading_page(target, graded, rows):
    """The text of the page.

    `graded` is [(submission, questions as `with_given` returns them), ...], `rows` are those of
    written.csv, which the page saves again with other points. What is typed is kept by the browser
    under the name of the folder `target`.
    """
    found = {}  # (problem set, id) -> question
    for submission, questions in graded:
        for question in questions:
            if question["written"]:
                made = found.setdefault((submission.name, question["id"]), {
                    "set": submission.name, "id": question["id"], "answers": []
                })  # fmt: skip
                made["answers"].append(answer(submission, question, questions))
    data = {
        "store": hashlib.sha256(str(target).encode(errors="replace")).hexdigest()[:12],
        "columns": WRITTEN,
        "rows": [cells(WRITTEN, row) for row in rows],
        "formula": FORMULA.pattern,
    }
    return render(
        "written.html", questions=list(found.values()), data=data, script=SCRIPT, hash=HASH
    )


def answer(submission, question, questions):
    """What the page shows of one answer."""
    checks = [one for one in questions if not one["written"] and one["message"]]
    return {
        "key": key_of(submission, question),
        "student": " ".join(filter(None, [submission.student, submission.id])),
        "text": question["written"],
        "words": (words := len(question["written"].split())),
        "is_long": words > LONG,
        "points": question["points"],
        "of": question["of"],
        "comment": question["comment"],
        "rubric": question.get("rubric", []),
        "checks": [(one["id"], points_of_check(one) == one["of"], one["message"])
                   for one in checks],
        "outputs": [said["output"] for one in questions for said in one["answers"]
                    if said["output"]],
    }  # fmt: skip
