"""Find out of a folder of collected notebooks who handed in what.

The student is, in this order:

1. the folder that the file lies in, just below the collected one (the name of a problem set counts
   as no folder); of Moodle's `NAME_NUMBER_assignsubmission_file` the name and the number;
2. what a learning platform puts before the file's own name: Moodle's
   `NAME_NUMBER_assignsubmission_file_...`, Canvas' `NAME_NUMBER_NUMBER_...` (or `NAME_LATE_...`),
   Blackboard's `..._NAME_attempt_DATE...`;
3. what stands before or after the name of the problem set: `NAME_ps1.ipynb`, `ps1 - NAME.ipynb`.

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
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_.+")
BLACKBOARD = re.compile(r".+?_(?P<name>[^_]+)_attempt_\d{4}[\d-]*(?:_.*)?")
COPY = re.compile(r"( \(\d+\)|[ -]\d{1,2}|[ _-]copy( \d+)?)$", re.IGNORECASE)
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
    ignored: list = field(default_factory=list)  # paths of files that are no notebooks


def collect(folder, sets, only=None):
    """All submissions below `folder`, sorted by student.

    `only` is the name of the problem set that all of them are. Raises CourseError, naming each
    file, if a file cannot be given to a student: nothing can be graded then.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CourseError(f"{folder} is not a folder")
    found = defaultdict(list)
    collected = Collected()
    nameless = []
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        hidden = any(part in NOT_SUBMISSIONS or part.startswith(".") for part in inner.parts)
        if hidden or path.is_dir():
            continue
        if path.is_symlink() or path.suffix.lower() != ".ipynb":
            if path.suffix.lower() == ".zip":
                raise CourseError(f"{inner} is still packed: unpack it first")
            collected.ignored.append(inner)
            continue
        student, number = whose(inner, sets)
        if not student:
            nameless.append(str(inner))
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
        raise CourseError(f"{folder} holds no notebooks (*.ipynb)")
    for copies in found.values():
        first = copies[0]
        if len({copy.digest for copy in copies}) > 1:
            names = ", ".join(str(copy.path.relative_to(folder)) for copy in copies)
            first.problem = f"{len(copies)} different files: keep one of {names}"
            first.digest = "-".join(sorted(copy.digest for copy in copies))
        collected.submissions.append(first)
    collected.submissions.sort(key=lambda submission: submission.key)
    return collected


def whose(inner, sets):
    """(name, number) of the student that a path belongs to; ("", "") if it does not say."""
    folders = [part for part in inner.parts[:-1] if part.lower() not in sets]
    if folders:
        moodle = MOODLE.fullmatch(folders[0])
        return of_match(moodle) if moodle else (plain(folders[0]), "")
    stem = inner.stem
    for pattern in (MOODLE, CANVAS, BLACKBOARD):
        match = pattern.fullmatch(stem)
        if match:
            return of_match(match)
    named = "|".join(map(re.escape, sets))
    stem = COPY.sub("", stem)
    for pattern in (rf"(?P<name>.+?)[ _-]+(?:{named})", rf"(?:{named})[ _-]+(?P<name>.+)"):
        match = re.fullmatch(pattern, stem, re.IGNORECASE)
        if match and re.search(r"[^\W\d_]", match["name"]) and match["name"].lower() != "copy of":
            return plain(match["name"]), ""
    return "", ""


def of_match(match):
    groups = match.groupdict()
    name = groups.get("name") or groups.get("name2")
    return plain(name), groups.get("id") or groups.get("id2") or ""


def plain(name):
    """One form of a name that may be written in several: accents, and white space."""
    return " ".join(unicodedata.normalize("NFC", name).split()).strip(" -_")


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
