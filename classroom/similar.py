"""Pairs of students whose answers are much alike: similar.html and similar.csv.

The measure is one that a teacher can explain. Of all code that a student wrote in a problem set,
names, texts, comments and white space do not count: what is left is a row of signs, keywords and
numbers. Each six in a row are a passage. Passages of what was handed out and of the solution are
taken out, and so are those that more than a third of the class has. A passage weighs the more the
fewer have it: 1 where half of the class has it, 2 where a quarter has it, 3 for an eighth. Of two
students, the weight of what both have is compared with all of the one who has less. Written answers
are compared the same way, five words in a row. Who has little left is not compared: short answers
are alike by nature.
"""

import json
import keyword
import math
import re
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

from classroom.pages import render
from classroom.tables import as_csv
from lrcore.files import write_whole

COLUMNS = ["problem set", "kind", "student", "id", "other student", "other id", "alike", "shared"]
KINDS = {  # (tokens in a row, the least weight of what both have, the least share)
    "code": (6, 200, 0.7),
    "text": (5, 100, 0.3),
}
SMALL = 30  # students: a smaller class is weighed like one of so many
SEVERAL = 3  # students may always share a passage, however small the class is
LONGEST = 50_000  # characters of an answer that are compared
SHOWN = 50  # pairs side by side on the page
TOKEN = re.compile(
    r"""(?P<nothing>\s+|\#[^\n]*|\\\n)
    |(?P<text>(?<!\w)[rbfu]{0,2}(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}
        |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>\d[\w.]*)
    |(?P<name>\w+)
    |(?P<sign>\*\*|//|[-+*/<>=!]=|.)""",
    re.VERBOSE | re.IGNORECASE,
)


def code_tokens(source):
    """The signs, keywords and numbers of code, and one word for each name and each text."""
    tokens = []
    for found in TOKEN.finditer(source[:LONGEST]):
        kind, token = found.lastgroup, found[0]
        if kind == "name" and not keyword.iskeyword(token):
            token = "name"
        if kind != "nothing":
            tokens.append("text" if kind == "text" else token)
    return tokens


def words(text):
    return re.findall(r"\w+", text[:LONGEST].casefold())


TOKENS = {"code": code_tokens, "text": words}


def write_similar(target, graded, course):
    """Write both files. `graded` is [(submission, questions), ...], `course` what to hand out."""
    found = []
    for name in sorted({submission.name for submission, _ in graded}):
        of_set = [(one, questions) for one, questions in graded if one.name == name and questions]
        known = cells_of(course, name)
        for kind in KINDS:
            sources = {one.key: sources_of(questions, kind) for one, questions in of_set}
            for one, other, shared, share in pairs(sources, known, kind):
                found.append({
                    "problem set": name, "kind": kind, "student": one[0], "id": one[1],
                    "other student": other[0], "other id": other[1],
                    "alike": f"{share:.0%}", "shared": shared, "share": share,
                    "answers": [sources[one], sources[other]],
                })  # fmt: skip
    found.sort(key=lambda pair: (
        -round(pair["share"], 6), *(pair[name] for name in COLUMNS if name != "alike")
    ))  # fmt: skip
    for pair in found[:SHOWN]:
        known = cells_of(course, pair["problem set"])
        pair["answers"] = in_both(*pair["answers"], known, pair["kind"])
    write_whole(Path(target, "similar.csv"), as_csv(COLUMNS, found))
    page = render("similar.html", pairs=found, shown=SHOWN, kinds=KINDS)
    write_whole(Path(target, "similar.html"), page)


def sources_of(questions, kind):
    """What a student answered in a problem set: code, or what was written in words."""
    return [answer["source"] for question in questions for answer in question["answers"]
            if bool(question["written"]) == (kind == "text")]  # fmt: skip


def cells_of(course, name):
    """All cells of a problem set as the course has it, with the solutions."""
    path = Path(course, "source", name, f"{name}.ipynb")
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError:  # of a problem set that cannot be told
        return []
    return ["".join(cell["source"]) for cell in cells]


def pairs(sources, known, kind):
    """[(one, other, passages of both, share), ...] of {student: [source, ...]}."""
    length, least, least_share = KINDS[kind]
    holders = defaultdict(list)
    handed_out = passages(known, kind, length)
    for one, texts in sources.items():
        for passage in passages(texts, kind, length) - handed_out:
            holders[passage].append(one)
    own, both, count = Counter(), Counter(), Counter()
    for students in holders.values():
        if len(students) <= max(SEVERAL, len(sources) / 3):
            weight = math.log2(max(SMALL, len(sources)) / len(students))
            for one in students:
                own[one] += weight
            for pair in combinations(students, 2):
                both[pair] += weight
                count[pair] += 1
    shares = {pair: total / min(own[one] for one in pair)
              for pair, total in both.items() if total >= least}  # fmt: skip
    return [(*pair, count[pair], share) for pair, share in shares.items() if share >= least_share]


def in_both(texts, others, known, kind):
    """The texts of two students that share a passage with one of the other, as two lists."""
    length = KINDS[kind][0]
    shared = passages(texts, kind, length) & passages(others, kind, length)
    shared -= passages(known, kind, length)
    return [[text for text in given if passages([text], kind, length) & shared]
            for given in (texts, others)]  # fmt: skip


def passages(texts, kind, length):
    """All that stands in a row of this length in one of the texts."""
    rows = map(TOKENS[kind], texts)
    return {tuple(row[at : at + length]) for row in rows for at in range(len(row) - length + 1)}
