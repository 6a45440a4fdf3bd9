"""The two files that a teacher fills in: written.csv and points.csv.

A row belongs to what was read when it was filled in: its key names the submission, the question,
and the answer (written.csv) or the file handed in (points.csv). What belongs to nothing now, such
as points for an older answer, is kept at the end of the file with the status "old", and counted
nowhere.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from classroom.course import CourseError
from classroom.names import readable
from classroom.tables import as_csv, original, read_table
from lrcore.files import write_whole

WRITTEN = ["student", "id", "problem set", "question", "status", "of", "points", "comment",
           "answer", "key"]  # fmt: skip
POINTS = ["student", "id", "problem set", "question", "status", "of", "points", "override",
          "comment", "message", "key"]  # fmt: skip
OLD = "old"  # the status of a row that counts nowhere
NAMED = 3  # of such rows, where they are told


@dataclass
class Given:
    """What a teacher gave by hand: for each file {key: row}, rows with points or a comment.

    `replaced` is how many of written.csv another file gave other points or comments.
    """

    written: dict
    points: dict
    replaced: int = 0


def read_given(target, written=None):
    """What is filled in in the two files of the folder `target`, be they there or not.

    A row of the file `written`, if one is named, counts instead of that of written.csv with the
    same key, also where it is empty. Raises CourseError, naming file and row, if a file cannot be
    read, for points that are not a number from 0 to the maximum, and for a key that was changed.
    """
    rows = {name: read_rows(Path(target, name), columns) if Path(target, name).exists() else []
            for name, columns in (("written.csv", WRITTEN), ("points.csv", POINTS))}  # fmt: skip
    given = Given(filled(rows["written.csv"], "points"), filled(rows["points.csv"], "override"))
    if written:
        newer = read_rows(Path(written), WRITTEN)
        for row in newer:
            old = given.written.pop(row["key"], row)
            given.replaced += any(old[name] != row[name] for name in ("points", "comment"))
        given.written |= filled(newer, "points")
    return given


def read_rows(path, columns):
    """The rows of a file as they were given to `as_csv`, and "where" each stands.

    The column status need not be there: what it says is found out anew.
    """
    columns = [name for name in columns if name != "status"]
    rows = read_table(path, columns)
    return [
        {name: original(row[name].strip()) for name in columns}
        | {"where": f"{readable(path)}, row {line} ({readable(row['student'])})"}
        for line, row in enumerate(rows, start=2)  # as a spreadsheet counts them
    ]


def filled(rows, field):
    """{key: row} of the rows in which `field` or the comment is filled in."""
    given = {}
    for row in rows:
        if row[field] or row["comment"]:
            points_of(row, field)
            if not row["key"] or row["key"] in given:
                raise CourseError(
                    f"{row['where']}: the column key must stay as it was written, each key once, "
                    f"got {row['key']!r}"
                )
            given[row["key"]] = row
    return given


def points_of(row, field):
    """The points that a row has in the column `field`, or None."""
    if not row[field]:
        return None
    try:
        points, most = (float(row[name].replace(",", ".")) for name in (field, "of"))
    except ValueError:
        points, most = -1.0, 0.0
    if not 0 <= points <= most:
        raise CourseError(
            f"{row['where']}: {field} must be a number from 0 to {row['of']}, got {row[field]!r}"
        )
    return points


def with_given(submission, questions, given):
    """Copies of the questions, with the points and comments that a teacher gave by hand.

    "automatic" are the points of a check that a teacher changed, else None. What belongs to one of
    these answers is taken out of `given`.
    """
    copies = [{**question, "comment": "", "automatic": None} for question in questions]
    for question in copies:
        if question["written"]:
            row = taken(given.written, key_of(submission, question), question["of"], "points")
            if row:
                question["points"] = points_of(row, "points")
                question["comment"] = row["comment"]
        elif row := taken(given.points, key_of(submission, question), question["of"], "override"):
            question["comment"] = row["comment"]
            points = points_of(row, "override")
            if points is not None:
                question |= {"points": points, "automatic": question["points"]}
    return copies


def taken(rows, key, most, field):
    """Take the row of this key out of `rows`; None where there is none, or the maximum fell."""
    row = rows.get(key)
    return rows.pop(key) if row and (points_of(row, field) or 0) <= most else None


def key_of(submission, question):
    """Names a question's row, whatever a spreadsheet does to the other columns.

    Another answer, or for a check another file, has another key: points are given for what was
    read.
    """
    if question["written"]:
        letter, read = "w", " ".join(question["written"].split())
    else:
        letter, read = "p", submission.digest
    named = [*submission.key, question["id"], read]
    return letter + hashlib.sha256("\0".join(named).encode(errors="replace")).hexdigest()[:12]


def points_of_check(question):
    """What the check itself gave, whatever a teacher changed later."""
    return question["points"] if question["automatic"] is None else question["automatic"]


def points_text(value):
    """A number as text, short; nothing for None."""
    return "" if value is None else f"{value:g}"


def write_filled(target, graded, left):
    """Write both files: `graded` is [(submission, questions as `with_given` returns them), ...].

    `left` is what belongs to none of these. Returns the rows of written.csv.
    """
    old = {
        name: [row | {"status": OLD} for row in rows.values()]
        for name, rows in (("written.csv", left.written), ("points.csv", left.points))
    }
    written = [*written_rows(graded), *old["written.csv"]]
    checks = [
        check_row(submission, question)
        for submission, questions in graded
        for question in questions
        if not question["written"] and question["points"] is not None
    ]
    for name, columns, rows in (
        ("written.csv", WRITTEN, written),
        ("points.csv", POINTS, [*checks, *old["points.csv"]]),
    ):
        if name == "written.csv" and left.replaced:
            print(f"{name}: {left.replaced} had other points or comments, which are replaced")
        if rows:
            write_whole(Path(target, name), as_csv(columns, rows))
        if old[name]:
            which = ", ".join(f"{row['student']} {row['question']}" for row in old[name][:NAMED])
            which += ", …" if len(old[name]) > NAMED else ""
            print(readable(f"{name}: {len(old[name])} filled in for what is not there now "
                           f"({which}), kept at the end as {OLD!r}"))  # fmt: skip
    return written


def written_rows(graded):
    """The rows of written.csv, one for each written answer."""
    return [
        named(submission, question)
        | {
            "points": points_text(question["points"]),
            "comment": question["comment"],
            "answer": question["written"],
        }
        for submission, questions in graded
        for question in questions
        if question["written"]
    ]


def check_row(submission, question):
    changed = question["automatic"] is not None
    return named(submission, question) | {
        "points": points_text(points_of_check(question)),
        "override": points_text(question["points"]) if changed else "",
        "comment": question["comment"],
        "message": question["message"],
    }


def named(submission, question):
    """The columns that name a question of a submission, and its maximum."""
    student, number, name = submission.key
    return {
        "student": student,
        "id": number,
        "problem set": name,
        "question": question["id"],
        "status": "",
        "of": points_text(question["of"]),
        "key": key_of(submission, question),
    }
