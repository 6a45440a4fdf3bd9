"""What a teacher gets: the gradebook, files to fill in, a page per student, and pages of all."""

import hashlib
import re
from collections import Counter, defaultdict
from pathlib import Path

from classroom.course import COURSE
from classroom.filled import points_text, read_given, with_given, write_filled
from classroom.giveback import EXPLAINED, give_back
from classroom.names import readable
from classroom.numbers import number_notes
from classroom.overview import overview
from classroom.pages import render
from classroom.reading import reading_page
from classroom.similar import write_similar
from classroom.tables import as_csv
from lrcore.files import write_whole

GRADEBOOK = ["student", "id", "problem set", "status", "points", "of", "late", "attempt", "reason",
             "notes", "number", "file", "roster id"]  # fmt: skip
NOT_YET = "not graded yet: run the same command again"  # the reason after an interruption
NOBODY = "?"  # the student of a file that may be anybody's
# What notes on a page begin with: the others are for the teacher alone.
FOR_STUDENTS = ("out of time", "not run", "could not import", "cell left out", "the latest of",
                "answers missing")  # fmt: skip
CHANGED = "changed cells put back: "
MANY = 5  # students who changed the same cells may have had another version
NAME_BYTES = 100  # of a page: a disk allows 255, some of which go to the ending and to ".tmp"


def write(target, folder, submissions, outcomes, *, written=None, course=COURSE):
    """Write all files; return the rows of the gradebook. Each file appears whole or not at all.

    `written` is a file to read in place of written.csv; `course` says what was handed out. Raises
    CourseError, before anything is written, if what a teacher filled in is not as it should be.
    """
    given = read_given(target, written)
    graded = [(s, with_given(s, outcomes[s.key]["questions"], given)) for s in submissions]
    numbers = number_notes(submissions, outcomes)
    rows = [gradebook_row(s, outcomes[s.key], questions, folder) | {
        "number": numbers.get(s.key, "")} for s, questions in graded]  # fmt: skip
    write_whole(Path(target, "gradebook.csv"), as_csv(GRADEBOOK, rows))
    write_whole(Path(target, "overview.html"), overview(graded, rows))
    to_read = write_filled(target, graded, given)
    if any(question["written"] for _, questions in graded for question in questions):
        write_whole(Path(target, "written.html"), reading_page(target, graded, to_read))
    else:
        Path(target, "written.html").unlink(missing_ok=True)
    write_similar(target, graded, course)
    parts = [(one, row | {"notes": notes_of(one, outcomes[one.key], FOR_STUDENTS)},
              sections(questions))
             for (one, questions), row in zip(graded, rows, strict=True)
             if one.student and one.path and outcomes[one.key]["reason"] != NOT_YET]  # fmt: skip
    write_feedback(Path(target, "feedback"), parts)
    give_back(folder, Path(target, "return"), parts)
    return rows


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
        "notes": notes_of(submission, outcome),
        "file": readable(submission.path.relative_to(folder)) if submission.path else "",
        "roster id": submission.person.id if submission.person else "",
    }


def notes_of(submission, outcome, begin=("",)):
    """The notes on a submission as a text: those that begin with one of `begin`."""
    notes = [*submission.notes, *outcome["notes"]]
    return "; ".join(note for note in notes if note.startswith(begin))


def other_versions(submissions, outcomes):
    """What to ask the teacher if most of a class have the same changed cells: sentences."""
    graded, changed = Counter(), defaultdict(Counter)
    for one in submissions:
        outcome = outcomes[one.key]
        graded[one.name] += outcome["status"] == "graded"
        for note in outcome["notes"]:
            if note.startswith(CHANGED):
                changed[one.name].update(note.removeprefix(CHANGED).split(", "))
    most = {name: max(cells.values()) for name, cells in sorted(changed.items())}
    return [
        f"{name}: most have the same changed cells: were they handed out in another version?"
        for name, count in most.items()
        if count >= MANY and count > graded[name] / 2
    ]


def write_feedback(folder, parts):
    """Write a page for each student, from [(submission, row, sections), ...]."""
    pages = defaultdict(list)
    for submission, row, under_headings in parts:
        pages[submission.student, submission.id].append((row, under_headings))
    folder.mkdir(exist_ok=True)
    names = page_names(pages)
    for student, parts in pages.items():
        text = render("feedback.html", student=student[0], parts=parts, explained=EXPLAINED)
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
    name = re.sub(r'[<>:"/\\|?*]|^\.', "_", readable(name))
    if marked or len(name.encode()) > NAME_BYTES:
        short = name.encode()[: NAME_BYTES - 11].decode(errors="ignore")
        return f"{short}-{digest}"
    return name
