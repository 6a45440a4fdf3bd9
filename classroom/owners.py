"""Whose each collected file is: the rules stand in `collect`."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from classroom.names import (
    BRIGHTSPACE,
    MOODLE,
    NO_STUDENT,
    NOBODY,
    Named,
    beside_set,
    by_platform,
    doubt,
    of_match,
    one_form,
    orders,
    readable,
    without_ending,
)
from classroom.roster import Person

# What computers leave in folders. It is nobody's work.
LEFT_BY_COMPUTERS = re.compile(r"thumbs\.db|desktop\.ini|\.ds_store|icon\r|~\$.*", re.IGNORECASE)
EMPTY = "(an empty folder)"  # stands for a file


@dataclass
class File:
    """A file below the collected folder."""

    inner: Path  # inside of that folder
    is_notebook: bool
    set: str = "?"
    digest: str = ""
    problem: str = ""
    folders: tuple = ()  # those that may be a student's, around that of a platform if there is one
    box: Named | None = None  # whom the folder of a platform names
    named: Named | None = None  # whom its own name says
    owner: Named | None = None
    person: "Person | None" = None

    @property
    def is_quiet(self):
        """Whether nobody chose to hand it in: hidden files, and what computers leave."""
        *folders, name = self.inner.parts
        hidden = [part for part in folders if part.startswith(".")]
        if name.startswith(".") and (name.startswith("._") or ".ipynb" not in name.lower()):
            hidden.append(name)  # but `.ps1.ipynb` is what a student called a notebook
        return bool(hidden or name == EMPTY or LEFT_BY_COMPUTERS.fullmatch(name))


def give_owners(found, sets, people):
    """Set the owner of each file, and the person on the roster `people` (None: no roster)."""
    for file in found:
        name = file.inner.name
        file.box, around = folder_of_platform(file.inner.parts[:-1])
        file.folders = tuple(possible_students(around, sets))
        if file.is_notebook or not file.is_quiet or name.startswith("."):
            file.named = by_platform(name, bool(file.folders))
            if not file.named and (student := beside_set(without_ending(name), sets)):
                file.named = Named(student)
            if people:
                file.named = people.known(file.named, without_ending(name))
        if not file.folders:
            file.owner = file.box
        if people and not file.owner:
            file.owner = people.folder(file)
        if not file.owner and not file.folders:
            file.owner = file.named or NOBODY
    settle([file for file in found if file.folders and not (file.owner and file.owner.doubt)])
    for file in found:
        # a platform's own name in a student's folder tells the attempt all the same
        told = file.named
        if told and (told.order or told.late) and same(told, file.owner):
            file.owner = Named(*file.owner.who, told.platform, told.late, told.attempt, told.order)
        if people and file.owner.student:
            could_be = people.find(*file.owner.who)
            file.person = could_be[0] if len(could_be) == 1 else None
            if len(could_be) > 1 and not file.owner.id:
                file.problem = (
                    f"{len(could_be)} people on the roster can be {file.owner.student!r}: give the "
                    "folder a name with the number (id)"
                )


def possible_students(folders, sets):
    """The folders on the way to a file that may be a student's."""
    for part in folders:
        if part.startswith("."):
            return
        name = one_form(part)
        is_set = part.lower().removesuffix(".ipynb") in sets
        if name and not is_set and not NO_STUDENT.fullmatch(name):
            yield name


def folder_of_platform(folders):
    """Whom the outermost folder that a platform made names, and the folders around it.

    So does the folder that a file with a platform's name was unpacked to.
    """
    for depth, part in enumerate(folders):
        match = MOODLE.fullmatch(part) or BRIGHTSPACE.fullmatch(part)
        if told := of_match(match) if match else by_platform(part, True):
            return told, folders[:depth]
    return None, folders


def same(one, other):
    """Whether two names are one person's, as far as they tell."""
    if one.id and other.id and one.platform == other.platform:
        return one.id == other.id
    return bool(orders(one.student) & orders(other.student))


def settle(files):
    """Give an owner to files in plain folders: the folder, or whom the name of the file says.

    Those that have one, by the roster, only help to tell what the folders are.
    """
    inside, boxes = defaultdict(list), defaultdict(list)
    around = set()  # folders that are no student's in any case
    for file in files:
        if file.box:
            boxes[file.folders[0]].append(file)
            continue
        inside[file.folders].append(file)
        if file.owner and file.owner.student in file.folders:
            depth = file.folders.index(file.owner.student)
            around |= {file.folders[:above] for above in range(1, depth + 1)}
    names = {folders: names_in(folders, held) for folders, held in inside.items()}
    left = []
    for folders, held in inside.items():
        side = "folder" if any(file.owner for file in held) else pile(names, folders)
        if side == "files":
            around.add(folders)
        for file in held:
            if side == "folder":
                left.append(file)
            elif side == "files":
                file.owner = file.named or NOBODY
            else:
                told = file.named.student if file.named else readable(file.inner.name)
                file.owner = doubt(folders[-1], told)
    by_levels(left, around)
    for top, held in boxes.items():
        # A student may hand in a folder with a platform's name, too.
        students = sum(not told and folders[0] != top for folders, told in names.items())
        is_class = len({file.box.who for file in held}) > students
        for file in held:
            told = file.box if is_class else doubt(file.folders[-1], file.box.student)
            file.owner = file.owner or told


def evidence(held):
    """Of some files those that tell what a folder is: notebooks, if there are any."""
    for kind in (lambda file: file.is_notebook, lambda file: not file.is_quiet):
        if any(map(kind, held)):
            return list(filter(kind, held))
    return held


def names_in(folders, held):
    """Whom the names of the files in a folder say, where they speak against the folder.

    That is nobody if a file names nobody. Names that a platform gave count; others only if there
    are three, and two of one problem set: a student may have `first_ps1` and `second_ps1`.
    """
    told = evidence(held)
    if not all(file.named for file in told):
        return set()
    names = {file.named.who for file in told}
    if len(names) == 1:
        is_other = told[0].named.platform and not same(told[0].named, Named(folders[-1]))
        return names if is_other else set()
    by_platforms = all(file.named.platform for file in told)
    clash = len({file.set for file in told}) < len(names)
    return names if by_platforms or (clash and len(names) > 2) else set()


def pile(names, folders):
    """Whether a folder gives the student ("folder"), or its files do ("files"), or "doubt".

    `names` holds for each folder whom its files say against it. A folder whose files name several
    is a pile of files, and one whose files name one other student is that of a student who took the
    file, if those beside it are students' too.
    """
    beside = [one for one in names
              if one[: len(folders)] != folders and folders[: len(one)] != one]  # fmt: skip
    students = sum(not names[one] for one in beside)
    piles = sum(len(names[one]) > 1 for one in beside)
    count = len(names[folders])
    if count == 0 or (count < 3 and students):
        return "folder"
    if count > 1 or piles:
        return "files" if count > students else "doubt"
    return "doubt"


def by_levels(left, around):
    """Give an owner to files in plain folders that lie in each other: the folder of the student.

    `around` are folders that are no student's in any case.
    """
    levels = tree([file for file in left if file.is_notebook])
    for above, level in tree([file for file in left if not file.is_notebook]).items():
        for name, inside in level.items():
            levels.setdefault(above, {}).setdefault(name, inside)
    sides = dict.fromkeys(around, "around")
    for above, level in levels.items():
        told = verdicts({name: branches(levels, (*above, name)) for name in level})
        for name, side in told.items():
            sides.setdefault((*above, name), side)
    for file in left:
        if file.owner:
            continue
        file.owner = file.named or NOBODY
        for depth, name in enumerate(file.folders):
            side = sides[file.folders[: depth + 1]]
            if side == "student":
                file.owner = Named(name)
            elif side == "doubt":
                file.owner = doubt(name, [*file.folders, readable(file.inner.name)][depth + 1])
            if side != "around":
                break


def tree(some):
    """{folders: {folder in them: {folder in that one, or "" for files: the problem sets}}}."""
    levels = {}
    for file in some:
        for depth, name in enumerate(file.folders):
            inside = levels.setdefault(file.folders[:depth], {}).setdefault(name, {})
            inside.setdefault((*file.folders, "")[depth + 1], set()).add(file.set)
    return levels


def branches(levels, folders):
    """What is in a folder; where that is one folder alone, what is in that one, and so on."""
    inside = levels[folders[:-1]][folders[-1]]
    (first, *more) = inside
    if first and not more:
        deeper = branches(levels, (*folders, first))
        return inside if "" in deeper else deeper
    return inside


def crowd(inside):
    """How many folders are in a folder, if two of them hold the same problem set; else 0."""
    folders = [names for folder, names in inside.items() if folder]
    held = sum(map(len, folders))
    return len(folders) if len(set().union(*folders)) < held else 0


def verdicts(level):
    """Whether each folder is a "student", lies "around" those of students, or is a "doubt".

    `level` holds what is in the folders that lie beside each other: {name: as `branches` gives it}.
    """
    students = sum("" in inside for inside in level.values())
    deep = [inside for inside in level.values() if "" not in inside]
    crowds = [crowd(inside) for inside in deep]
    often = Counter(folder for inside in level.values() for folder in inside)
    told = {}
    for name, inside in level.items():
        folders = set(inside) - {""}
        recurring = sum(often[folder] > 1 for folder in folders)  # such as `ps1 solution`
        if "" in inside and crowd(inside):  # a file among a class, or a student's drafts
            told[name] = "around" if len(folders) > students + 1 else "doubt"
        elif "" in inside or 2 * recurring > len(folders):
            told[name] = "student"
        elif sum(crowds) > students + bool(students) and 2 * sum(map(bool, crowds)) >= len(deep):
            told[name] = "around"
        else:
            told[name] = "student" if students > sum(crowds) and not crowd(inside) else "doubt"
    return told
