"""Find out of a folder of collected files who handed in what.

Whose a file is, in this order:

1. a platform's own folder, however deep, names the student and the number: Moodle's
   `NAME_NUMBER_assignsubmission_file`, Brightspace's `NUMBER-NUMBER - NAME - DATE`, or one to which
   a file named as in 4 was unpacked. In a student's plain folder it is a doubt;
2. a folder that names somebody on the roster, if there is one;
3. the plain folder that it lies in. The names of problem sets and words such as `submissions`,
   `late`, `Section A` or `work` (`NO_STUDENT`) count as no folder;
4. what a platform puts before the file's own name: Moodle's
   `NAME_NUMBER_assignsubmission_file_...`, Canvas' `NAME_NUMBER_NUMBER_...` (or `NAME_LATE_...`, or
   `anon_ID_NUMBER_...`), Blackboard's `..._NAME_attempt_DATE...`;
5. what stands before or after the name of the problem set: `NAME_ps1.ipynb`, `ps1 - NAME.ipynb`.

A plain folder may be a student's, or lie around those of many (or around their files). The folders
beside it and in it tell which (`verdicts` and `pile`). It lies around if two folders in it hold the
same problem set, or if its notebooks all name students, and several. It is a student's if notebooks
lie in it or in those beside it, or if those hold folders of the same names. Where both or neither
is so, it is a doubt. Such a file is a row of its own that says so, and is not graded, as it could
be given to the wrong person. A folder that is a student's wins over the names of the files in it;
if one names somebody else, the row says so.

Students may write names that look like Canvas'. So two numbers that may be a date are none of
Canvas', and in a folder Canvas' first number has three digits or more.

Blackboard joins the name of the assignment to the student's with `_`, and both may hold one. The
text up to the first `_` belongs to the assignment in any case, and only that is cut off: the name
may be too long (`1_alovelace` for an assignment `Problem_1`), but two students of one assignment
never become one.

Attempts have an order where the platform gives one: Canvas' second number rises with each upload
(and a file of the same name gets `-1`, `-2`), Blackboard and Brightspace give the date. Of several
different files of one student, `latest` takes the last in this order; nothing else tells.

The problem set is the one that the cells of the notebook belong to, whatever the file is called.
Where they do not say, the name of the file or of a folder must.

On the roster the number counts first, then the name. It changes no student's name or key; it says
who that is, and decides where the names alone do not. Several people for one name are a doubt.

Nobody vanishes: who handed in no notebook, but other files, has a row for these, and who is on the
roster and handed in nothing has one for each problem set.
"""

import hashlib
import json
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from classroom.course import CourseError
from classroom.files import text_of
from classroom.names import IN_LATE, letters, one_form, readable, without_ending
from classroom.owners import EMPTY, LEFT_BY_COMPUTERS, File, give_owners, same
from classroom.roster import Person, Roster

PACKED = {".zip", ".7z", ".rar", ".gz"}
WORK = {".py", ".pdf", ".docx", ".hwp", ".ipynb"} | PACKED
LARGEST = 20 * 2**20  # bytes of a notebook without its outputs,
FULL = 500 * 2**20  # and with them


@dataclass
class Submission:
    """One student's notebook of one problem set. `problem` says why it cannot be graded."""

    student: str  # "" if it cannot be told
    id: str  # the platform's number, or ""
    name: str  # of the problem set, "?" if it cannot be told
    path: Path | None  # None for what was not handed in
    digest: str
    problem: str = ""
    late: bool = False
    attempt: str = ""  # in words, as the platform names it
    notes: list = field(default_factory=list)
    person: Person | None = None  # who on the roster that is
    place: str = ""  # tells files apart whose student cannot be told

    @property
    def key(self):
        """Names the submission: no two are equal, and it is the same in the next run."""
        return (self.student, self.id if self.student else self.place, self.name)


@dataclass
class Collected:
    submissions: list = field(default_factory=list)
    ignored: list = field(default_factory=list)  # readable paths of files that are no notebooks
    said: list = field(default_factory=list)  # what the teacher should know, a sentence each


def collect(folder, sets, only=None, *, roster=None, latest=False):
    """All submissions below `folder`, sorted by student.

    `only` is the name of the problem set that all of them are, `roster` a CSV file of the class.
    With `latest`, the last of several attempts counts. What cannot be given to a student or graded
    is there too, with a `problem`. Raises CourseError if there is nothing to grade at all, or the
    roster cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CourseError(f"{readable(folder)} is not a folder")
    people = Roster(roster) if roster else None
    found = files(folder, roster)
    notebooks = [file for file in found if file.is_notebook]
    others = [file for file in found if not file.is_notebook]
    if not notebooks:
        packed = [readable(file.inner) for file in others if file.inner.suffix.lower() == ".zip"]
        if packed:
            raise CourseError(f"{packed[0]} is still packed: unpack it first")
        raise CourseError(f"{readable(folder)} holds no notebooks (*.ipynb)")
    for file in found:
        read(file, folder, sets, only)
    give_owners(found, sets, people)

    collected = Collected()
    groups = defaultdict(list)
    for file in notebooks:
        groups[group_of(file), file.set].append(file)
    for copies in groups.values():
        collected.submissions.append(one_of(copies, folder, latest))
    add_others(collected, others, groups, folder)
    usual = usual_sets(collected, only)
    note_unusual(collected, usual)
    if people:
        if people.lost:
            some = f"{people.lost} name" + ("s" if people.lost > 1 else "")
            have = "have" if people.lost > 1 else "has"
            name = readable(Path(roster).name)
            collected.said.append(f"{some} in {name} {have} lost letters: save it as CSV UTF-8")
        add_missing(collected, people, usual)
    collected.submissions.sort(key=lambda submission: submission.key)
    return collected


# --- the files


def files(folder, roster=None):
    """All files below `folder` that somebody may have handed in, sorted by path."""
    found = []
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if "__MACOSX" in inner.parts or inner.parts[0].startswith(".") and len(inner.parts) > 1:
            continue
        if roster and path.resolve() == Path(roster).resolve():
            continue
        if path.is_symlink():
            found.append(File(inner, False, problem="it is a link, and links are not followed"))
        elif path.is_dir():
            try:
                is_empty, problem = not any(path.iterdir()), ""
            except OSError as error:
                is_empty, problem = True, f"the folder cannot be read ({error.strerror})"
            if is_empty:
                found.append(File(inner / EMPTY, False, problem=problem))
        else:
            is_hidden = any(part.startswith(".") for part in inner.parts)
            is_left = is_hidden or LEFT_BY_COMPUTERS.fullmatch(path.name)
            is_notebook = path.suffix.lower() == ".ipynb" and path.is_file() and not is_left
            found.append(File(inner, is_notebook))
    return found


def read(file, folder, sets, only):
    """Find the problem set of a file, and why it cannot be graded if it cannot."""
    path = folder / file.inner
    data = b""
    if file.is_notebook:
        try:
            if path.stat().st_size > FULL:
                file.problem = f"the file is larger than {FULL // 2**20} MB"
            else:
                data = path.read_bytes()
        except OSError as error:
            file.problem = f"the file cannot be read ({error.strerror})"
    file.digest = hashlib.sha256(data).hexdigest()
    text = text_of(data)
    if weight(text) > LARGEST:
        file.problem = f"the cells are larger than {LARGEST // 2**20} MB"
    file.set = only or which(text, file.inner, sets)
    if file.is_notebook and file.set == "?":
        file.problem = file.problem or (
            "cannot tell which problem set this is: put its name into the name of the file"
        )


def weight(text):
    """How long a notebook is without its outputs, which nobody grades; all of what is none."""
    if len(text) <= LARGEST:
        return len(text)
    try:
        return sum(len(str(cell["source"])) for cell in json.loads(text)["cells"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return len(text)


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


# --- from files to submissions


def group_of(file):
    """What is equal for all files of one student, and for no two others."""
    if not file.owner.student:
        return file.inner
    return file.person or file.owner.who


def submission_of(file, folder):
    owner = file.owner
    late = owner.late or any(IN_LATE.fullmatch(one_form(part)) for part in file.inner.parts[:-1])
    made = Submission(
        *owner.who, file.set, folder / file.inner, file.digest, owner.doubt or file.problem,
        late, owner.attempt, person=file.person, place=readable(file.inner),
    )  # fmt: skip
    if file.inner.name == EMPTY:
        made.path = folder / file.inner.parent
    if owner.student and file.named and names_another(file.named, owner):
        made.notes.append(f"the name of the file says {file.named.student!r}")
    return made


def names_another(named, owner):
    """Whether a file's own name is somebody else's. `Ada` in Ada Lovelace's folder is not."""
    one, other = letters(named.student), letters(owner.student)
    return not (same(named, owner) or one in other or other in one)


def one_of(copies, folder, latest):
    """The submission that some notebooks of one student and problem set make."""
    names = [readable(copy.inner) for copy in copies]
    last = last_of(copies)
    if latest and last:
        made = submission_of(last, folder)
        out = [name for copy, name in zip(copies, names, strict=True) if copy.digest != last.digest]
        if out:
            made.notes.append(f"the latest of {len(out) + 1} attempts, without " + ", ".join(out))
        return made
    made = submission_of(copies[0], folder)
    if len({copy.digest for copy in copies}) > 1:
        made.problem = f"{len(copies)} different files: keep one of {', '.join(names)}"
        if last:
            made.problem += ", or take the latest (--latest)"
        elif latest:
            made.problem += " (their names do not say which is the latest)"
        made.digest = "-".join(sorted(copy.digest for copy in copies))
    return made


def last_of(copies):
    """The last attempt of some files, or None if their names do not tell."""
    told = {(*copy.owner.who, copy.owner.platform) for copy in copies}
    if len(told) > 1 or not all(copy.owner.order for copy in copies):
        return None
    last = max(copies, key=lambda copy: copy.owner.order)
    also = [copy for copy in copies if copy.owner.order == last.owner.order]
    return last if len({copy.digest for copy in also}) == 1 else None


def add_others(collected, others, groups, folder):
    """Add a submission for each student and problem set with other files but no notebook.

    The rest is left alone; a packed file or a later attempt among it is noted.
    """
    graded = {name for _, name in groups} - {"?"}
    made = {}  # (student, problem set) -> (submission, its files)
    rest = defaultdict(list)
    for file in others:
        who = group_of(file)
        if file.set == "?" and len(graded) == 1:
            (file.set,) = graded
        if file.owner.student:
            mine = [names for one, names in groups if one == who]
            needed = not mine or (file.set in graded - set(mine) and is_work(file))
        else:
            needed = is_work(file) and not is_unpacked(file, folder, groups, in_doubt=True)
        if needed:
            made.setdefault((who, file.set), []).append(file)
            continue
        if not file.is_quiet:
            collected.ignored.append(Path(readable(file.inner)))
        rest[who].append(file)
    for held in made.values():
        loud = [file for file in held if not file.is_quiet] or held
        if not loud[0].owner.student and loud[0].is_quiet:
            continue
        one = submission_of(loud[0], folder)
        one.problem = one.problem or "no notebook (*.ipynb): " + what(loud)
        one.digest = hashlib.sha256(one.problem.encode()).hexdigest()
        collected.submissions.append(one)
    for one in collected.submissions:
        for file in rest[one.person or (one.student, one.id)]:
            if file.inner.suffix.lower() in PACKED and not is_unpacked(file, folder, groups):
                one.notes.append(f"still packed, not looked at: {readable(file.inner)}")
            is_later = file.owner.platform == "Blackboard" and file.owner.attempt > one.attempt
            if is_later and file.set in (one.name, "?"):
                one.notes.append(f"a later attempt has no notebook: {readable(file.inner)}")


def is_work(file):
    """Whether a file that is no notebook may be a student's work."""
    name = file.inner.name.lower()
    return not file.is_quiet and (file.inner.suffix.lower() in WORK or ".ipynb" in name)


def is_unpacked(file, folder, groups, in_doubt=False):
    """Whether the notebooks in a packed file lie beside it or below. `in_doubt`: if none can tell.

    The names are compared, not what the notebooks hold.
    """
    if file.inner.suffix.lower() not in PACKED:
        return False
    there = [copy.inner for copies in groups.values() for copy in copies]
    below = {inner.name for inner in there if file.inner.parent in inner.parents}
    try:
        with zipfile.ZipFile(folder / file.inner) as archive:
            packed = {Path(name).name for name in archive.namelist()}
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return in_doubt and bool(below)
    return bool(below) and all(name in below for name in packed if name.endswith(".ipynb"))


def what(held):
    """The files in words: some names, and why they are no notebooks if that can be seen."""
    names = [readable(file.inner.name) for file in held]
    text = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    if any(file.inner.suffix.lower() in PACKED for file in held):
        return text + " is still packed: unpack it"
    if any(name.startswith(".") and name.lower().endswith(".ipynb") for name in names):
        return text + " is hidden: give it a name that does not start with a dot"
    return "only " + text


# --- who is missing


def usual_sets(collected, only=None):
    """The problem sets that all were to hand in: those of several students, not of a wrong file.

    Several are two or more, and a tenth or more of those who handed in anything. If no problem set
    has so many, it is the one that most have.
    """
    if only:
        return [only]
    who = defaultdict(set)
    for one in collected.submissions:
        if one.name != "?":
            who[one.name].add(one.person or one.key[:2])
    students = {student for some in who.values() for student in some}
    most = max(map(len, who.values()), default=0)
    several = min(most, max(2, len(students) / 10))
    return sorted(name for name, some in who.items() if len(some) >= several)


def note_unusual(collected, usual):
    for one in collected.submissions:
        if one.name not in (*usual, "?"):
            one.notes.append(f"{one.name}, the others handed in {', '.join(usual)}")


def add_missing(collected, people, usual):
    """Add a submission for each person and problem set of `usual` that was not handed in.

    Say who handed in something and is not on the roster.
    """
    there = collected.submissions
    handed_in = {(one.person, one.name) for one in there if one.person}
    keys = {one.person: one.key[:2] for one in reversed(there) if one.person}
    taken = {one.key for one in there}
    perhaps = defaultdict(set)
    strangers = set()
    for one in there:
        if one.person and one.name == "?":
            perhaps[one.person].add(one.place)
        elif not one.student:
            for part in Path(one.place).parts:
                for person in people.find(one_form(without_ending(part))):
                    perhaps[person].add(one.place)
        elif not one.person:
            could_be = people.find(one.student, one.id)
            for person in could_be:
                perhaps[person].add(one.place)
            if not could_be:
                one.notes.append("not on the roster")
                strangers.add(one.key[:2])
            elif not one.problem:
                one.notes.append("on the roster are several of this name or number")
    for student, number in sorted(strangers):
        collected.said.append(f"Not on the roster: {student}" + (f" ({number})" if number else ""))
    for person in people.people:
        for name in usual:
            if (person, name) not in handed_in:
                reason = "not handed in"
                if perhaps[person]:
                    reason += ", unless it is " + " or ".join(sorted(perhaps[person]))
                known = (person.name or person.id, person.id or person.email)
                student, number = keys.get(person, known)
                one = Submission(student, number, name, None, reason, reason, person=person)
                if one.key not in taken:  # two of one name, without a number
                    taken.add(one.key)
                    there.append(one)
