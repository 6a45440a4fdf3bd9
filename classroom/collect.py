"""Find out of a folder of collected notebooks who handed in what.

The student is, in this order:

1. in Moodle's folder `NAME_NUMBER_assignsubmission_file`, however deep, the name and the number;
2. what a learning platform puts before the file's own name: Moodle's
   `NAME_NUMBER_assignsubmission_file_...`, Canvas' `NAME_NUMBER_NUMBER_...` (or `NAME_LATE_...`, or
   `anon_ID_NUMBER_...`), Blackboard's `..._NAME_attempt_DATE...`;
3. the folder that the file lies in, just below the collected one (the name of a problem set counts
   as no folder);
4. what stands before or after the name of the problem set: `NAME_ps1.ipynb`, `ps1 - NAME.ipynb`.

Students may write names that look like Canvas'. So two numbers that may be a date are none of
Canvas', and in a folder Canvas' first number has three digits or more:
`Ada Lovelace/my_12_34_ps1.ipynb` is Ada Lovelace's, but `Ada Lovelace/my_123_45_ps1.ipynb` is taken
for Canvas', as a folder around all its files would else take everybody's name.

Blackboard joins the name of the assignment to the student's with `_`, and both may hold one. The
text up to the first `_` belongs to the assignment in any case, and only that is cut off: the name
may be too long (`1_alovelace` for an assignment `Problem_1`), but two students of one assignment
never become one.

The problem set is the one that the cells of the notebook belong to, whatever the file is called.
Where they do not say, the name of the file or of a folder must.
"""

import hashlib
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from classroom.course import CourseError

MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_\w*?_?$|"
                    r"(?P<name2>.+?)_(?P<id2>\d+)_assignsubmission_[a-z]+_.*")  # fmt: skip
ANONYMOUS = re.compile(r"(?P<name>anon_[A-Za-z0-9]+)_(?:LATE_)?\d+_.+")
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?!20\d\d_\d\d?_)(?P<id>\d+)_\d+_.+")
BLACKBOARD = re.compile(r"[^_]*_(?P<name>.+?)_attempt_\d{4}(?:-\d\d){5}(?:_.*)?")
COPY_OF = re.compile(r"^(?:(?:copy of|kopie von|copia de|copie de) +)+", re.IGNORECASE)
COPY = r"(?: \(\d+\)|[ _-]+copy(?: \d+)?)*"  # what a computer adds to the name of a copy
COPY_OF_SET = r"(?: \(\d+\)|[ -]\d{1,2}|[ _-]+(?:copy|kopie|copia|copie)(?: \d+)?)*"
NOT_SUBMISSIONS = {"__MACOSX", ".ipynb_checkpoints"}
LARGEST = 20 * 2**20  # bytes


@dataclass
class Submission:
    """One student's notebook of one problem set. `problem` says why it cannot be graded."""

    student: str
    id: str  # the platform's number, or ""
    name: str  # of the problem set, "?" if it cannot be told
    path: Path
    digest: str
    problem: str = ""

    @property
    def key(self):
        return (self.student, self.id, self.name)


@dataclass
class Collected:
    submissions: list = field(default_factory=list)
    ignored: list = field(default_factory=list)  # readable paths of files that are no notebooks


def collect(folder, sets, only=None):
    """All submissions below `folder`, sorted by student.

    `only` is the name of the problem set that all of them are. Raises CourseError, naming each
    file, if a file cannot be given to a student: nothing can be graded then.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CourseError(f"{readable(folder)} is not a folder")
    found = defaultdict(list)
    notebooks, others = files(folder)
    for inner in others:
        # One that was unpacked beside itself does no harm.
        unpacked = any(inner.parent in notebook.parents for notebook in notebooks)
        if inner.suffix.lower() == ".zip" and not unpacked:
            raise CourseError(f"{readable(inner)} is still packed: unpack it first")
    collected = Collected(ignored=[Path(readable(inner)) for inner in others])
    nameless = []
    for inner in notebooks:
        path = folder / inner
        student, number = whose(inner, sets)
        if not student:
            nameless.append(readable(inner))
            continue
        data = path.read_bytes() if path.stat().st_size <= LARGEST else b""
        submission = Submission(student, number, "?", path, hashlib.sha256(data).hexdigest())
        if not data and path.stat().st_size:
            submission.problem = f"the file is larger than {LARGEST // 2**20} MB"
        submission.name = only or which(data.decode(errors="replace"), inner, sets)
        if submission.name == "?":
            submission.problem = submission.problem or (
                "cannot tell which problem set this is: put its name into the name of the file"
            )
        found[submission.key].append(submission)
    if nameless:
        raise CourseError(
            "cannot tell whose these are: put each into a folder with the student's name, or call "
            "it NAME_ps1.ipynb. Nothing was graded.\n  " + "\n  ".join(nameless)
        )
    if not found:
        raise CourseError(f"{readable(folder)} holds no notebooks (*.ipynb)")
    for copies in found.values():
        first = copies[0]
        if len({copy.digest for copy in copies}) > 1:
            names = ", ".join(readable(copy.path.relative_to(folder)) for copy in copies)
            first.problem = f"{len(copies)} different files: keep one of {names}"
            first.digest = "-".join(sorted(copy.digest for copy in copies))
        collected.submissions.append(first)
    collected.submissions.sort(key=lambda submission: submission.key)
    return collected


def files(folder):
    """The notebooks below `folder`, and the other files: sorted paths inside of it."""
    notebooks, others = [], []
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        hidden = any(part in NOT_SUBMISSIONS or part.startswith(".") for part in inner.parts)
        if hidden or path.is_dir():
            continue
        is_notebook = path.suffix.lower() == ".ipynb" and not path.is_symlink()
        (notebooks if is_notebook else others).append(inner)
    return notebooks, others


def whose(inner, sets):
    """(name, number) of the student that a path belongs to; ("", "") if it does not say."""
    folders = [part for part in inner.parts[:-1] if part.lower() not in sets]
    for part in folders:
        match = MOODLE.fullmatch(part)
        if match:
            return of_match(match)
    for pattern in (MOODLE, ANONYMOUS, BLACKBOARD, CANVAS):
        match = pattern.fullmatch(inner.stem)
        if match and not (folders and pattern is CANVAS and len(match["id"]) < 3):
            return of_match(match)
    return one_form(folders[0]) if folders else beside_set(inner.stem, sets), ""


def beside_set(stem, sets):
    """The name that stands before or after that of a problem set, or ""."""
    named = "(?:" + "|".join(map(re.escape, sets)) + ")"
    stem = COPY_OF.sub("", stem)
    # A number after the problem set's name is that of a copy, one after a name may be a group's.
    nobody = named + COPY_OF_SET
    before = rf"(?P<name>.+?)[ _-]+{named}{COPY_OF_SET}"
    after = rf"{named}[ _-]+(?P<name>.+?){COPY}"
    if re.fullmatch(nobody, stem, re.IGNORECASE):
        return ""
    for pattern in (before, after):
        match = re.fullmatch(pattern, stem, re.IGNORECASE)
        if match and re.search(r"[^\W\d_]", match["name"]):
            return one_form(match["name"])
    return ""


def of_match(match):
    groups = match.groupdict()
    name = groups.get("name") or groups.get("name2")
    return one_form(name), groups.get("id") or groups.get("id2") or ""


def one_form(name):
    """One form of a name that may be written in several: accents, and white space."""
    return " ".join(unicodedata.normalize("NFC", readable(name)).split()).strip(" -_")


def readable(path):
    """Text that can be printed. Bytes that are no UTF-8 stay different from each other."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def which(text, inner, sets):
    """The problem set that a notebook belongs to, or "?"."""
    for pattern in (r'"grade_id": *"({})-', r'"id": *"({})-\d\d"'):
        named = set(re.findall(pattern.format("|".join(map(re.escape, sets))), text))
        if len(named) == 1:
            return named.pop()
    pattern = r"(?<![a-z0-9])({})(?![0-9])".format("|".join(map(re.escape, sets)))
    for part in reversed(inner.parts):
        named = set(re.findall(pattern, part.lower()))
        if len(named) == 1:
            return named.pop()
    return "?"
