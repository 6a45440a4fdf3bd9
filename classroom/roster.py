"""The class, and who of it a name or a number can be."""

import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from classroom.course import CourseError
from classroom.names import (
    Named,
    doubt,
    in_order,
    letters,
    one_form,
    one_line,
    orders,
    readable,
)
from classroom.tables import read_table


@dataclass(frozen=True)
class Person:
    """A student on the roster."""

    id: str
    name: str
    email: str = ""


class Roster:
    """The class, from a CSV file with the columns id and name, and email if there is one.

    `lost` is how many names lost letters when the file was saved: `J?rgen`.
    """

    def __init__(self, path):
        self.people = read_roster(path)
        self.lost = sum("?" in person.name or "\ufffd" in person.name for person in self.people)
        self.ids, self.names, self.turned = (defaultdict(list) for _ in range(3))
        for person in self.people:
            for known in {*map(id_form, (person.id, person.email, person.email.split("@")[0]))}:
                self.ids[known].append(person)
            self.names[in_order(person.name)].append(person)
            for known in orders(person.name):
                self.turned[known].append(person)
        self.ids.pop("", None)
        self.names.pop("", None)

    def find(self, student, number=""):
        """Who that can be: nobody ([]), one, or several if they cannot be told apart.

        The number counts first, then the name; where both name different people, it is several.
        Both may be parts of `student`, such as in `20231234_Ada Lovelace`.
        """
        names = self.named(student)
        login = re.sub(r"^(\d{1,2}_)+", "", student)  # Blackboard may leave `1_alovelace`
        for known in (number, student, login):
            if ids := self.ids.get(id_form(known)):
                return ids if not names or set(ids) & set(names) else [*ids, *names]
        if names:
            return names
        words = [word for word in re.split(r"[\s_()\[\],.-]+", student)
                 if len(word) > 2 and re.search(r"\d", word)]  # a short number may be a copy's
        ids = {person for word in words for person in self.ids.get(id_form(word), [])}
        for word in words:
            student = student.replace(word, "_")
        parts = re.split(r"[_()\[\]]+| - ", student)
        names = {person for part in parts for person in self.named(part)}
        could_be = (ids & names or ids | names) if ids and names else ids or names
        return sorted(could_be, key=lambda person: (person.id, person.name))

    def named(self, name):
        """Who is called so; somebody with the same words in another order, if nobody is."""
        return self.names.get(in_order(name)) or self.turned.get(letters(name), [])

    def known(self, named, stem):
        """What the name of a file says, once the roster has been asked."""
        if named:
            on_roster = not named.platform and self.find(*named.who)
            return Named(*named.who, "roster") if on_roster else named
        could_be = self.find(stem)
        return Named(could_be[0].name, could_be[0].id, "roster") if len(could_be) == 1 else None

    def folder(self, file):
        """The owner of a file that lies in the folder of somebody on the roster, or None."""
        parts = [one_form(part) for part in file.inner.parts[:-1] if not part.startswith(".")]
        found = [part for part in parts if self.find(part)]
        if len({frozenset(self.find(part)) for part in found}) > 1:
            return doubt(*found[:2])
        if found and file.box and not self.find(*file.box.who):
            return doubt(found[0], file.box.student)
        return (file.box or Named(found[0])) if found else None


def id_form(text):
    """One form of a number or a short name: spreadsheets drop zeros at the beginning."""
    text = "".join(unicodedata.normalize("NFKC", text).split()).casefold()
    return text.lstrip("0") if text.isdigit() else text


def read_roster(path):
    """The people in a CSV file. Raises CourseError if it is none, or lacks a column."""
    told = f"--roster {readable(path)}"
    rows = read_table(Path(path), ["id", "name"], told)
    people = []
    for row in rows:
        values = (row.get(name, "") for name in ("id", "name", "email"))
        person = Person(*(readable(one_line(value)) for value in values))
        if (person.id or person.name) and person not in people:
            people.append(person)
    times = Counter(id_form(person.id) for person in people if person.id)
    for person in people:
        if times[id_form(person.id)] > 1:
            raise CourseError(f"{told}: the id {person.id!r} stands there for two people")
    if not people:
        raise CourseError(f"{told}: it lists nobody")
    return people
