"""What a teacher gets: gradebook.csv, written.csv to fill in, and a feedback page per student."""

import csv
import hashlib
import io
import re
from collections import defaultdict
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from classroom.collect import readable
from classroom.course import CourseError
from lrcore.files import write_whole

RISKY = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes what begins so for a formula
GRADEBOOK = ["student", "id", "problem set", "status", "points", "of", "reason", "notes", "file"]
WRITTEN = ["student", "id", "problem set", "question", "of", "points", "comment", "answer", "key"]


def as_csv(columns, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: harmless(row[name]) for name in columns} for row in rows)
    return "\ufeff" + text.getvalue()  # the mark by which spreadsheets know UTF-8


def harmless(value):
    """Text that a spreadsheet does not take for a formula."""
    return "'" + value if isinstance(value, str) and value.startswith(RISKY) else value


def key_of(submission, question):
    """Names a written answer in written.csv, whatever a spreadsheet does to the other columns.

    Another answer has another key: points are given for what was read.
    """
    named = [*submission.key, question["id"], " ".join(question["written"].split())]
    return "w" + hashlib.sha256("\0".join(named).encode()).hexdigest()[:12]


def number(value):
    return "" if value is None else f"{value:g}"


def read_written(target):
    """The rows of written.csv in which a teacher filled in points or a comment: {key: row}.

    Raises CourseError if the file cannot be read, and, naming the row, for points that are not a
    number from 0 to the maximum.
    """
    path = Path(target, "written.csv")
    if not path.exists():
        return {}
    csv.field_size_limit(2**30)  # an answer may hold a picture
    try:
        text = path.read_text(encoding="utf-8-sig")
        delimiter = ";" if text.partition("\n")[0].count(";") > 3 else ","
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"{path}: save it as CSV in UTF-8 ({error})") from None
    if set(WRITTEN) - set(reader.fieldnames or []):
        raise CourseError(f"{path}: its first line must name the columns {', '.join(WRITTEN)}")
    given = {}
    for line, row in enumerate(rows, start=1):
        row = {name: (row[name] or "").strip() for name in WRITTEN}
        if row["points"] or row["comment"]:
            where = f"{path}, answer {line} ({row['student']})"
            points_of(row, where)
            if not row["key"] or row["key"] in given:
                raise CourseError(f"{where}: the column key must stay as it was written")
            given[row["key"]] = row
    return given


def points_of(row, where):
    """The points in a row of written.csv, or None."""
    if not row["points"]:
        return None
    try:
        points, most = (float(row[name].replace(",", ".")) for name in ("points", "of"))
    except ValueError:
        points, most = -1.0, 0.0
    if not 0 <= points <= most:
        raise CourseError(
            f"{where}: points must be a number from 0 to {row['of']}, got {row['points']!r}"
        )
    return points


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
            key = key_of(submission, question)
            old = given.pop(key, None)
            if old:
                question["points"] = points_of(old, key)
                question["comment"] = old["comment"]
            points = question["points"]
            open_answers += points is None
            values = [*submission.key, question["id"], number(question["of"]), number(points)]
            values += [question["comment"], question["written"], key]
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
            "file": readable(submission.path.relative_to(folder)),
        }
        rows.append(row)
        pages[submission.student, submission.id].append((row, sections(questions)))

    write_whole(Path(target, "gradebook.csv"), as_csv(GRADEBOOK, rows))
    # points for an answer that is not there now, such as an older one: kept, and counted nowhere
    answers += given.values()
    if answers:
        write_whole(Path(target, "written.csv"), as_csv(WRITTEN, answers))
    if given:
        print(f"{len(given)} rows of written.csv belong to no answer now: they are at its end")
    feedback = Path(target, "feedback")
    feedback.mkdir(exist_ok=True)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["number"] = number
    template = environment.get_template("feedback.html")
    names = set()
    for (student, number_), parts in pages.items():
        name = file_name(student, number_)
        while name in names:
            name += "_"
        names.add(name)
        text = template.render(student=student, parts=parts)
        write_whole(feedback / f"{name}.html", text)
    return rows


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
