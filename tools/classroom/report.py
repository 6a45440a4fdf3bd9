"""What a teacher gets: gradebook.csv, written.csv to fill in, and a feedback page per student."""

import csv
import io
import re
from collections import defaultdict
from pathlib import Path

from execute import write_whole
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from classroom.course import CourseError

GRADEBOOK = ["student", "id", "problem set", "status", "points", "of", "reason", "notes", "file"]
WRITTEN = ["student", "id", "problem set", "question", "of", "points", "comment", "answer"]
KEY = ["student", "id", "problem set", "question"]


def as_csv(columns, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: harmless(row[name]) for name in columns} for row in rows)
    return "\ufeff" + text.getvalue()  # the mark by which spreadsheets know UTF-8


def harmless(value):
    """Text that a spreadsheet does not take for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def number(value):
    return "" if value is None else f"{value:g}"


def read_written(target):
    """{(student, id, set, question): (points, comment, answer)} of the rows a teacher filled in.

    Raises CourseError, naming the row, for points that are not a number from 0 to the maximum.
    """
    path = Path(target, "written.csv")
    if not path.exists():
        return {}
    given = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        sample = file.readline()
        file.seek(0)
        rows = csv.DictReader(file, delimiter=";" if sample.count(";") > 3 else ",")
        if rows.fieldnames is None or set(WRITTEN) - set(rows.fieldnames):
            raise CourseError(f"{path}: its first line must name the columns {', '.join(WRITTEN)}")
        for line, row in enumerate(rows, start=1):
            text = (row["points"] or "").strip().replace(",", ".")
            comment = (row["comment"] or "").strip()
            if not text and not comment:
                continue
            try:
                points = float(text) if text else None
                most = float(row["of"].replace(",", "."))
            except ValueError:
                points, most = -1.0, 0.0
            if points is not None and not 0 <= points <= most:
                raise CourseError(
                    f"{path}, answer {line} ({row['student']}): points must be a number from 0 to "
                    f"{row['of']}, got {text!r}"
                )
            key = tuple(row[name].removeprefix("'") for name in KEY)
            given[key] = (points, comment, row["answer"].removeprefix("'"))
    return given


def write(target, folder, submissions, outcomes):
    """Write all files; return the rows of the gradebook. Each file appears whole or not at all."""
    given = read_written(target)
    rows, answers, pages = [], [], defaultdict(list)
    for submission in submissions:
        outcome = outcomes[submission.key]
        graded = outcome["status"] == "graded"
        questions = [dict(question) for question in outcome["questions"]]
        open_answers = 0
        for question in questions:
            question["comment"] = ""
            if not question["written"]:
                continue
            key = (*submission.key, question["id"])
            points, comment, answer = given.get(key, (None, "", question["written"]))
            if one_line(answer) != one_line(question["written"]):
                points, comment = None, ""  # it was given for another answer
            question["points"], question["comment"] = points, comment
            open_answers += points is None
            values = [*key, number(question["of"]), number(points), comment, question["written"]]
            answers.append(dict(zip(WRITTEN, values, strict=True)))
        status = "needs hand grading" if open_answers else outcome["status"]
        row = {
            "student": submission.student,
            "id": submission.id,
            "problem set": submission.name,
            "status": status,
            "points": number(sum(q["points"] or 0 for q in questions)) if graded else "",
            "of": number(sum(q["of"] for q in questions)) if graded else "",
            "reason": outcome["reason"],
            "notes": "; ".join(outcome["notes"]),
            "file": str(submission.path.relative_to(folder)),
        }
        rows.append(row)
        pages[submission.student, submission.id].append((row, sections(questions)))

    write_whole(Path(target, "gradebook.csv"), as_csv(GRADEBOOK, rows))
    if answers or given:
        write_whole(Path(target, "written.csv"), as_csv(WRITTEN, answers))
    feedback = Path(target, "feedback")
    feedback.mkdir(exist_ok=True)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["number"] = number
    template = environment.get_template("feedback.html")
    for (student, number_), parts in pages.items():
        text = template.render(student=student, parts=parts)
        write_whole(feedback / f"{file_name(student, number_)}.html", text)
    return rows


def one_line(text):
    """An answer as a comparison sees it: a spreadsheet may have changed its line ends."""
    return " ".join(text.split())


def sections(questions):
    """The questions under their headings, in their order: [(heading, questions), ...]."""
    found = []
    for question in questions:
        if not found or found[-1][0] != question["heading"]:
            found.append((question["heading"], []))
        found[-1][1].append(question)
    return found


def file_name(student, number_):
    name = "_".join(part for part in (student, number_) if part)
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name)
