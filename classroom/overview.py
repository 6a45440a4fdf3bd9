"""The page of the whole class: how many passed each check, and what the others were told."""

import re
from collections import Counter, defaultdict
from statistics import mean, median

from classroom.filled import points_of_check
from classroom.pages import render

SHOWN = 3  # messages of a check
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|inf|nan)\b", re.I)
STATUSES = ["graded", "needs hand grading", "not graded", "not handed in"]


def overview(graded, rows):
    """The text of the page, from [(submission, questions as graded by hand too), ...] and the rows
    of the gradebook that belong to them."""
    questions, of_set = defaultdict(list), defaultdict(list)
    for (submission, given), row in zip(graded, rows, strict=True):
        of_set[submission.name].append(row)
        for question in given:
            questions[submission.name, question["id"]].append(question)
    sets = []
    for name in sorted(of_set, key=lambda name: last(name, of_set[name])):
        parts = [part(given) for (one, _), given in questions.items() if one == name]
        sets.append({"name": name, "parts": parts} | numbers(of_set[name]))
    return render("overview.html", sets=sets)


def last(name, rows):
    """Sorts problem sets: those that one student handed in come late, what is unknown last."""
    return name == "?", sum(row["status"] != "not handed in" for row in rows) < 2, name


def numbers(rows):
    """How many have each status, and the mean and median of the points once all are complete."""
    counts = Counter(row["status"] for row in rows)
    points = [float(row["points"]) for row in rows if row["status"] == "graded"]
    of = next((row["of"] for row in rows if row["of"]), "")
    return {
        "counts": [(status, counts[status]) for status in STATUSES if counts[status]],
        "mean": mean(points) if points else None,
        "median": median(points) if points else None,
        "of": of,
        "complete": len(points),
        "waiting": counts["needs hand grading"],
    }


def part(given):
    """One question of all students: what the checks gave, whatever a teacher changed later."""
    of = given[0]["of"]
    read = [question for question in given if question["written"]]
    checked = [question for question in given if not question["written"]]
    failed = [question for question in checked if points_of_check(question) < of]
    by_hand = [question["points"] for question in read if question["points"] is not None]
    told = Counter(alike(question["message"]) for question in failed if question["message"])
    return {
        "id": given[0]["id"],
        "heading": given[0]["heading"],
        "of": of,
        "is_check": not read,
        "passed": len(checked) - len(failed),
        "failed": len(failed),
        "changed": sum(question["automatic"] is not None for question in given),
        "read": len(by_hand),
        "unread": len(read) - len(by_hand),
        "mean": mean(by_hand) if by_hand else None,
        "told": told.most_common(SHOWN),
        "more": sum(told.values()) - sum(count for _, count in told.most_common(SHOWN)),
    }


def alike(message):
    """A message without its numbers, by which those of one kind are equal."""
    return " ".join(NUMBER.sub("…", message).split())
