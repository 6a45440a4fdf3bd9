"""What a teacher gets: gradebook.csv, written.csv to fill in, and a feedback page per student."""

import csv
import hashlib
import io
import re
from collections import Counter, defaultdict
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from classroom.collect import readable
from classroom.course import CourseError
from lrcore.files import write_whole

RISKY = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes what begins so for a formula
GRADEBOOK = ["student", "id", "problem set", "status", "points", "of", "late", "attempt", "reason",
             "notes", "file", "roster id"]  # fmt: skip
WRITTEN = ["student", "id", "problem set", "question", "of", "points", "comment", "answer", "key"]
NOBODY = "?"  # the student of a file that may be anybody's
NAME_BYTES = 100  # of a page: a disk allows 255, some of which go to the ending and to ".tmp"


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


def points_text(value):
    """A number as text, short; nothing for None."""
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
    graded = [(s, with_given(s, outcomes[s.key]["questions"], given)) for s in submissions]
    rows = [gradebook_row(s, outcomes[s.key], questions, folder) for s, questions in graded]
    write_whole(Path(target, "gradebook.csv"), as_csv(GRADEBOOK, rows))
    write_answers(target, graded, given)
    pages = defaultdict(list)
    for (submission, questions), row in zip(graded, rows, strict=True):
        if submission.student and submission.path:  # there is somebody to send it to
            pages[submission.student, submission.id].append((row, sections(questions)))
    write_feedback(Path(target, "feedback"), pages)
    return rows


def with_given(submission, questions, given):
    """Copies of the questions, with the points and comments that a teacher gave by hand.

    `given` is what `read_written` returns; what belongs to one of these answers is taken out.
    """
    copies = [{**question, "comment": ""} for question in questions]
    for question in copies:
        key = key_of(submission, question) if question["written"] else None
        if row := given.pop(key, None):
            question["points"] = points_of(row, key)
            question["comment"] = row["comment"]
    return copies


def gradebook_row(submission, outcome, questions, folder):
    graded = outcome["status"] == "graded"
    is_open = any(question["written"] and question["points"] is None for question in questions)
    status = outcome["status"] if submission.path else "not handed in"
    return {
        "student": submission.student or NOBODY,
        "id": submission.id,
        "problem set": submission.name,
        "status": "needs hand grading" if is_open else status,
        "points": points_text(sum(q["points"] or 0 for q in questions)) if graded else "",
        "of": points_text(sum(q["of"] for q in questions)) if graded else "",
        "late": "late" if submission.late else "",
        "attempt": submission.attempt,
        "reason": outcome["reason"],
        "notes": "; ".join([*submission.notes, *outcome["notes"]]),
        "file": readable(submission.path.relative_to(folder)) if submission.path else "",
        "roster id": submission.person.id if submission.person else "",
    }


def write_answers(target, graded, given):
    """Write written.csv, if there are written answers or points for some that are gone."""
    rows = [
        answer_row(submission, question)
        for submission, questions in graded
        for question in questions
        if question["written"]
    ]
    # points for an answer that is not there now, such as an older one: kept, and counted nowhere
    rows += given.values()
    if rows:
        write_whole(Path(target, "written.csv"), as_csv(WRITTEN, rows))
    if given:
        print(f"{len(given)} rows of written.csv belong to no answer now: they are at its end")


def answer_row(submission, question):
    points = [points_text(question["of"]), points_text(question["points"])]
    values = [*submission.key, question["id"], *points, question["comment"], question["written"]]
    return dict(zip(WRITTEN, [*values, key_of(submission, question)], strict=True))


def write_feedback(folder, pages):
    """Write a page for each student: `pages` is {(student, id): [(row, sections), ...]}."""
    folder.mkdir(exist_ok=True)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["points_text"] = points_text
    template = environment.get_template("feedback.html")
    names = page_names(pages)
    for student, parts in pages.items():
        text = template.render(student=student[0], parts=parts)
        write_whole(folder / f"{names[student]}.html", text)


def sections(questions):
    """The questions under their headings, in their order: [(heading, questions), ...]."""
    found = []
    for question in questions:
        if not found or found[-1][0] != question["heading"]:
            found.append((question["heading"], []))
        found[-1][1].append(question)
    return found


def page_names(students):
    """A name of a file for each (student, id): no two are equal, small letters or capital."""
    plain = {student: file_name(*student) for student in students}
    times = Counter(name.casefold() for name in plain.values())
    return {
        student: name if times[name.casefold()] == 1 else file_name(*student, marked=True)
        for student, name in plain.items()
    }


def file_name(student, student_id, marked=False):
    """A name of a file for a student, cut where it would be too long for a disk.

    Where it is cut or `marked`, a digest of the whole follows.
    """
    name = "_".join(part for part in (student, student_id) if part)
    digest = hashlib.sha256("\0".join((student, student_id)).encode()).hexdigest()[:10]
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]|^\.', "_", name)
    if marked or len(name.encode()) > NAME_BYTES:
        short = name.encode()[: NAME_BYTES - 11].decode(errors="ignore")
        return f"{short}-{digest}"
    return name
