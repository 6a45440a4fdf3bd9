"""Answers that are alike: copies are found, and honest classes are left in peace."""

import random
import re
import time

import pytest
from conftest import ROOT
from made_up import outcome, question, submission, table, write, written

from classroom import similar

COURSE = ROOT / "assignments"
HEADS = [
    "def step_lr(t, base_lr, step_size, gamma):",
    "def cosine_lr(t, base_lr, T_max, eta_min=0.0):",
    "def warmup_lr(t, base_lr, start_factor, total_iters):",
    "def warmup_cosine_lr(t, base_lr, start_factor, warmup_steps, total_steps):",
]
# How people solve problem set 1, the most frequent way first: the honest choose among these.
WAYS = [
    [
        "return base_lr * gamma ** (t // step_size)",
        "k = t // step_size\nreturn base_lr * gamma ** k",
        "lr = base_lr\nfor i in range(t):\n    if (i + 1) % step_size == 0:\n"
        "        lr *= gamma\nreturn lr",
        "return base_lr * math.pow(gamma, t // step_size)",
        "return base_lr * gamma ** int(t / step_size)",
        "drops = math.floor(t / step_size)\nfactor = gamma ** drops\nreturn base_lr * factor",
    ],
    [
        "return eta_min + (base_lr - eta_min) * (1 + math.cos(math.pi * t / T_max)) / 2",
        "return eta_min + 0.5 * (base_lr - eta_min) * (1 + math.cos(math.pi * t / T_max))",
        "cos = math.cos(t * math.pi / T_max)\n"
        "return eta_min + (base_lr - eta_min) * (1 + cos) / 2",
        "p = t / T_max\nreturn eta_min + (base_lr - eta_min) * 0.5 * (1 + math.cos(p * math.pi))",
        "import numpy as np\n"
        "return eta_min + (base_lr - eta_min) / 2 * (np.cos(np.pi * t / T_max) + 1)",
    ],
    [
        "done = min(t, total_iters) / total_iters\n"
        "return base_lr * (start_factor + (1 - start_factor) * done)",
        "if t >= total_iters:\n    return base_lr\n"
        "return base_lr * (start_factor + (1 - start_factor) * t / total_iters)",
        "if t < total_iters:\n    f = start_factor + (1 - start_factor) * t / total_iters\n"
        "else:\n    f = 1.0\nreturn base_lr * f",
        "if t >= total_iters:\n    return base_lr\nstart = base_lr * start_factor\n"
        "return start + (base_lr - start) * t / total_iters",
    ],
    [
        "if t < warmup_steps:\n    return warmup_lr(t, base_lr, start_factor, warmup_steps)\n"
        "return cosine_lr(t - warmup_steps, base_lr, total_steps - warmup_steps)",
        "if t < warmup_steps:\n    lr = warmup_lr(t, base_lr, start_factor, warmup_steps)\n"
        "else:\n    lr = cosine_lr(t - warmup_steps, base_lr, total_steps - warmup_steps)\n"
        "return lr",
        "if t < warmup_steps:\n"
        "    return base_lr * (start_factor + (1 - start_factor) * t / warmup_steps)\n"
        "p = (t - warmup_steps) / (total_steps - warmup_steps)\n"
        "return base_lr * 0.5 * (1 + math.cos(math.pi * p))",
        "if t >= warmup_steps:\n    rest = total_steps - warmup_steps\n"
        "    return cosine_lr(t - warmup_steps, base_lr, rest, 0.0)\n"
        "else:\n    return warmup_lr(t, base_lr, start_factor, warmup_steps)",
    ],
]
# What one student found alone.
OWN = [
    "k = t // step_size\nout = base_lr\nwhile k > 0:\n    out = out * gamma\n    k = k - 1\n"
    "return out",
    "angle = 180 * t / T_max\nc = math.cos(math.radians(angle))\nmid = (base_lr + eta_min) / 2\n"
    "return mid + c * (base_lr - mid)",
    "low = start_factor * base_lr\nslope = (base_lr - low) / total_iters\n"
    "if t > total_iters:\n    t = total_iters\nreturn low + slope * t",
    "phase = t - warmup_steps\nif phase >= 0:\n"
    "    return cosine_lr(phase, base_lr, total_steps - warmup_steps)\n"
    "return warmup_lr(t, base_lr, start_factor, warmup_steps)",
]
WORDS = (
    "the rate peak loss noise flat direction budget seed measured steps because larger smaller "
    "first last tried cosine linear warmup floor error test found better worse than when so it"
).split()


def functions(bodies):
    return [f"{head}\n    " + body.replace("\n", "\n    ")
            for head, body in zip(HEADS, bodies, strict=True)]  # fmt: skip


def honest(seed, size=120):
    chance = random.Random(seed)
    return {
        f"student {number}": functions(
            chance.choices(ways, [1 / (rank + 1) for rank in range(len(ways))])[0] for ways in WAYS
        )
        for number in range(size)
    }


def disguised(sources):
    """Other names, other white space, and a comment: what is changed to hide a copy."""
    names = r"\b(base_lr|k|out|angle|mid|low|slope|phase|t|c)\b"
    return ["# all mine\n" + re.sub(names, r"\1_of_me", text).replace(" = ", "  =  ")
            for text in sources]  # fmt: skip


def listed(sources, kind="code"):
    known = similar.cells_of(COURSE, "ps1")
    return {frozenset(pair[:2]): pair[3] for pair in similar.pairs(sources, known, kind)}


@pytest.mark.parametrize("seed", range(5))
def test_an_honest_class_is_left_in_peace(seed):
    assert listed(honest(seed)) == {}
    assert listed(honest(seed, 20)) == {}


def test_a_class_with_the_same_line_is_left_in_peace():
    line = ["def toy_rates(steps):\n    return [0.8 * (1 - t / steps) ** 2 for t in range(steps)]"]
    assert listed({number: line for number in range(120)}) == {}
    assert listed({number: line for number in range(2)}) == {}


@pytest.mark.parametrize("size", [10, 30, 120])
def test_a_disguised_copy_is_found(size):
    sources = honest(1, size)
    sources["ada"], sources["bob"] = functions(OWN), disguised(functions(OWN))
    assert listed(sources) == {frozenset(("ada", "bob")): 1.0}


def test_a_copy_in_part_and_a_solution_that_went_round_are_found():
    sources = honest(2)
    sources["ada"] = functions(OWN)
    sources["bob"] = disguised([*functions(OWN)[:3], functions([""] * 4)[3]])
    (share,) = listed(sources).values()
    assert 0.7 <= share <= 1
    for number in range(20):
        sources[f"student {number}"] = disguised(functions(OWN))
    assert len(listed(sources)) >= 20 * 21 / 2


def test_what_was_handed_out_is_nobodys():
    known = similar.cells_of(COURSE, "ps1")
    assert len(known) > 10
    sources = {number: known for number in range(2)}
    assert similar.pairs(sources, known, "code") == []
    assert len(similar.pairs(sources, [], "code")) == 1


def made_up_text(seed, length=150):
    chance = random.Random(seed)
    return " ".join(chance.choice(WORDS) for _ in range(length))


def test_texts_that_share_a_paragraph_are_found():
    texts = {number: [made_up_text(number)] for number in range(120)}
    assert listed(texts, "text") == {}
    both = made_up_text("both", 60)
    texts[3] = [made_up_text("a", 70) + " " + both]
    texts[4] = [both.upper().replace(" ", "\n") + ". " + made_up_text("b", 70)]
    assert set(listed(texts, "text")) == {frozenset((3, 4))}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = a + b  # note", "total=first+second"),
        ("f('a # b', \"c\")", 'g("", """two\nlines""")'),
        ("if x:\n    return rf'{y}'", "if z: return b''"),
    ],
)
def test_names_texts_and_comments_do_not_count(one, other):
    assert similar.code_tokens(one) == similar.code_tokens(other)


def test_numbers_signs_and_keywords_count():
    tokens = [similar.code_tokens(text) for text in ("x * 0.5", "x * 0.6", "x ** 0.5", "x * y")]
    assert len({tuple(one) for one in tokens}) == 4
    assert similar.code_tokens("a ** b // 2 != 1e-5") == [
        "name", "**", "name", "//", "2", "!=", "1e", "-", "5"
    ]  # fmt: skip


HOSTILE = ["'" * 50_001, '"""' + "'''" * 20_000, "r'" * 30_000, "\\" * 60_000,
           "#" * 60_000, "(" * 60_000]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_code_takes_no_time(text):
    began = time.monotonic()
    similar.code_tokens(text)
    assert time.monotonic() - began < 5


def graded(number, sources, text):
    answers = [{"source": source, "output": ""} for source in sources]
    code = question("ps1-joined-hidden", 2.0, answers=answers)
    said = written(text, name="ps1-why", answers=[{"source": text, "output": ""}])
    return submission(f"student {number}", str(number), "ps1"), outcome(code, said)


def test_the_page_and_the_file_show_the_pairs(tmp_path):
    there = [graded(number, sources, made_up_text(number))
             for number, sources in enumerate(honest(3).values())]  # fmt: skip
    sources = [*functions(OWN), "mine_alone = [1, 2, 3, 4, 5, 6, 7]"]
    there[7] = graded(7, sources, made_up_text(7) + "</pre><script>")
    there[9] = graded(9, disguised(functions(OWN)), made_up_text(7))
    began = time.monotonic()
    write(tmp_path, there)
    assert time.monotonic() - began < 10
    rows = table(tmp_path / "similar.csv")
    assert {row["kind"] for row in rows} == {"code", "text"} and len(rows) == 2
    for row in rows:
        assert (row["student"], row["other student"], row["alike"]) == (
            "student 7", "student 9", "100%"
        )  # fmt: skip
    page = (tmp_path / "similar.html").read_text()
    assert "Alike is no proof" in page and "<script" not in page
    assert "mine_alone" not in page  # it shares nothing with the other's
    assert "angle = 180 * t / T_max" in page and "angle_of_me  =  180" in page


def test_a_class_without_pairs_has_a_page_that_says_so(tmp_path):
    write(tmp_path, [graded(1, functions(OWN), "x")])
    assert "There are no such pairs." in (tmp_path / "similar.html").read_text()
    assert table(tmp_path / "similar.csv") == []
