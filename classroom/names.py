"""What the names of files and folders say: whose a file is, and which attempt."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:\w*|[a-z]+_.*)")
BRIGHTSPACE = re.compile(r"(?P<id>\d+)-\d+ - (?P<name>.+) - (?P<date>[^-]*\b\d{4}\b[^-]*)")
ANONYMOUS = re.compile(r"(?P<name>anon_[A-Za-z0-9]+)_(?P<late>LATE_)?(?P<file>\d+)_(?P<rest>.+)")
CANVAS = re.compile(r"(?!anon_)(?P<name>[^_]+)_(?P<late>LATE_)?(?!20\d\d_\d\d?_)(?P<id>\d+)_"
                    r"(?P<file>\d+)_(?P<rest>.+)")  # fmt: skip
CANVAS_TEXT = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>\d+)_(?:text|link)\.html")
BLACKBOARD = re.compile(r"[^_]*_(?P<name>.+?)_attempt_(?P<date>\d{4}(?:-\d\d){5})(?:_.*)?")
COPY_OF = re.compile(r"^(?:(?:copy of|kopie von|copia de|copie de) +)+", re.IGNORECASE)
COPY = r"(?: \(\d+\)|[ _-]+copy(?: \d+)?)*"  # what a computer adds to the name of a copy
COPY_OF_SET = r"(?: \(\d+\)|[ -]\d{1,2}|[ _-]+(?:copy|kopie|copia|copie)(?: \d+)?)*"

# Folders that are no student's: around the students' own, or in them.
LATE = r"late|too late|verspätet|zu spät|nachzügler|en retard|tarde|지각(?: ?제출)?|늦은 제출|迟交"
AROUND = (
    r"all|on time|submitted|collected|downloads?|assignments?|home ?works?|hw|"
    r"exercises?|problem ?sets?|class|course|section|sec|tutorial|lab|week|abgaben?|übung(?:en)?|"
    r"aufgaben?|kurs|klasse|tutorium|rendus?|devoirs?|entregas?|tareas?|제출(?:물|함)?|과제(?:물)?"
)
INSIDE = (
    r"work|src|code|data|files?|notebooks?|colab notebooks|my ?drive|documents|desktop|old|new|"
    r"final|drafts?|backups?|attempt|version|v|new folder|untitled folder|neuer ordner|새 폴더"
)
NUMBERED = r"(?:[ _.-]*\d{1,4}[a-z]?|[ _.-]+[a-z]\d?)?"
KOREAN_CLASS = r"\d+ ?분반|[\da-z] ?반"
NO_STUDENT = re.compile(
    rf"(?:{LATE}|{AROUND}|{INSIDE}){NUMBERED}|{KOREAN_CLASS}|submissions?", re.IGNORECASE
)  # but `submission_12` is how Gradescope names a student
IN_LATE = re.compile(LATE, re.IGNORECASE)

DIRECTION = r"\u202a-\u202e\u2066-\u2069"  # turns the direction of writing, unseen
UNSEEN = re.compile(rf"[\x00-\x1f\x7f-\x9f{DIRECTION}]")
UNSEEN_BUT_LINES = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{DIRECTION}]")


@dataclass(frozen=True)
class Named:
    """Whose a file is, and which attempt: what the name of a file or a folder says."""

    student: str
    id: str = ""
    platform: str = ""  # "" for a name that nobody but its owner chose
    late: bool = False
    attempt: str = ""
    order: tuple = ()  # rises with the attempts of one student on one platform
    doubt: str = ""  # why the student cannot be told

    @property
    def who(self):
        return (self.student, self.id)


NOBODY = Named("", doubt="cannot tell whose this is: put it into a folder with the student's name, "
                         "or call it NAME_ps1.ipynb")  # fmt: skip


def doubt(one, other):
    """The owner of a file that may be one student's or another's."""
    reason = f"cannot tell whether {one!r} or {other!r} is the student"
    return Named("", doubt=reason + ": put it into a folder of the student's alone")


def by_platform(name, in_folder):
    """What a learning platform put before the name of a file, or None.

    What follows is the student's own, and may look like another platform's: the first name counts.
    """
    stem = without_ending(name)
    found = [pattern.fullmatch(stem) for pattern in (ANONYMOUS, CANVAS, MOODLE, BLACKBOARD)]
    found = [match for match in [*found, CANVAS_TEXT.fullmatch(name)] if match]
    sure = [one for one in found if one.re is not CANVAS or len(one["id"]) > 2]
    if sure or (found and not in_folder):
        return of_match(min(sure or found, key=lambda match: match.end("name")))
    return None


def of_match(match):
    """Whom and which attempt the match of a platform's pattern names."""
    groups = match.groupdict()
    student, number = one_form(groups["name"]), groups.get("id", "")
    late = bool(groups.get("late"))
    if match.re is BLACKBOARD:
        day, clock = match["date"][:10], match["date"][11:].replace("-", ":")
        return Named(student, number, "Blackboard", late, f"{day} {clock}", (match["date"],))
    if match.re is BRIGHTSPACE:
        date = date_of(match["date"])
        return Named(student, number, "Brightspace", late, match["date"], (date,) if date else ())
    if match.re in (CANVAS, ANONYMOUS):
        again = re.search(r"-(\d{1,2})$", match["rest"])
        attempt = f"resubmission {again[1]}" if again else ""
        order = (int(match["file"]), int(again[1]) if again else 0)
        return Named(student, number, "Canvas", late, attempt, order)
    return Named(student, number, "Canvas" if match.re is CANVAS_TEXT else "Moodle", late)


def date_of(text):
    """The date and time in the name of Brightspace's folder, or None."""
    for form in ("%b %d, %Y %I%M %p", "%B %d, %Y %I%M %p", "%d %B, %Y %H%M", "%d %b, %Y %H%M"):
        try:
            return datetime.strptime(text.strip(), form)
        except ValueError:
            pass
    return None


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
            name = one_form(match["name"])
            return "" if NO_STUDENT.fullmatch(name) else name
    return ""


def without_ending(name):
    """The name of a file without dots before and the ending after: `.a.ipynb.txt` is `a`."""
    name = name.removeprefix("._").lstrip(".")
    return re.sub(r"(?:\.ipynb)?(?:\.\w+)?$", "", name, count=1, flags=re.IGNORECASE)


def one_form(name):
    """One form of a name that may be written in several: accents, and white space."""
    return readable(one_line(name)).strip(" -_")


def one_line(text):
    return " ".join(unicodedata.normalize("NFC", text).split())


def readable(text, lines=False):
    """Text that can be printed, put into a page, or into a file for spreadsheets.

    What a terminal would obey and what turns the direction of writing is written out (`\\x1b`), and
    so are bytes that are no UTF-8: what was different stays different. With `lines`, tabs and the
    ends of lines stay; each end becomes that of Unix.
    """
    text = str(text).encode("utf-8", "backslashreplace").decode("utf-8")
    if lines:
        text = re.sub(r"\r\n?", "\n", text)
    return (UNSEEN_BUT_LINES if lines else UNSEEN).sub(written_out, text)


def written_out(match):
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def letters(text):
    """The letters and digits of a name alone, small and without accents."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(c for c in parts if not "\u0300" <= c <= "\u036f" and c.isalnum()).casefold()


def orders(name):
    """The letters of a name with its words in each order that people use: the family's first."""
    words = [word for word in map(letters, re.split(r"[\s,._-]+", name)) if word]
    return {"".join(words[i:] + words[:i]) for i in range(len(words))}


def in_order(name):
    """The letters of a name, the given name first: `Lovelace, Ada` is `adalovelace`."""
    family, comma, given = name.partition(",")
    return letters(given + family)
