"""The page of the whole class."""

import pytest
from bs4 import BeautifulSoup
from made_up import fill, outcome, question, submission, write, written

from classroom import worker
from classroom.overview import alike

SAYS = "step {}: expected {}, got {}"


def page(target, graded):
    write(target, graded)
    text = (target / "overview.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser")


def told(found):
    """{question: (passed, failed, text)} of the rows, in their order."""
    rows = [[" ".join(cell.get_text(" ").split()) for cell in row("td")] for row in found("tr")]
    return {row[0].split()[0]: (row[1], row[2], row[0]) for row in rows if row}


def made_up_class():
    graded = []
    for number in range(10):
        passed = number < 4
        message = "" if passed else SAYS.format(number, number / 7, f"-{number}e-05")
        if number == 9:
            message = "NameError: name '<x>' is not defined"
        z = question("ps4-z", 2.0 if passed else 0.0, 2.0, message=message)
        a = question("ps4-a", 1.0, 1.0, message="loss: 0.0056 is below 0.008")
        text = written("answer", 4.0) if number == 0 else written(f"answer {number}")
        graded.append((submission(f"student {number}"), outcome(z, a, text)))
    graded.append((submission("student x"), worker.nothing("damaged")))
    return graded


def test_how_many_passed_each_check_and_what_the_others_were_told(tmp_path):
    found = page(tmp_path, made_up_class())
    rows = told(found)
    assert list(rows) == ["ps4-z", "ps4-a", "ps4-explain"]  # as they stand in the problem set
    assert rows["ps4-z"][:2] == ("4", "6") and rows["ps4-a"][:2] == ("10", "0")
    assert "5 × step …: expected …, got …" in rows["ps4-z"][2]
    assert "1 × NameError: name '<x>' is not defined" in rows["ps4-z"][2]
    assert "below" not in rows["ps4-a"][2]  # what a passed check says is no failure
    assert rows["ps4-explain"][:2] == ("", "") and "1 read" in rows["ps4-explain"][2]
    assert "mean 4.0, 9 still to be read" in rows["ps4-explain"][2]
    text = " ".join(found.get_text(" ").split())
    assert "1 graded, 9 needs hand grading, 1 not graded" in text
    assert "9 wait for hand grading" in text and "median" not in text
    fill(tmp_path / "points.csv", {"comment": "read"})
    for row in range(10):
        fill(tmp_path / "written.csv", {"points": "4"}, row)
    text = " ".join(page(tmp_path, made_up_class()).get_text(" ").split())
    assert "Points of the 10 graded: mean 5.8, median 5.0, of 8." in text


def test_points_that_were_changed_change_the_mean_and_not_what_the_checks_gave(tmp_path):
    graded = [(submission(f"student {n}"), outcome(question("ps4-a", float(n % 2), 1.0)))
              for n in range(4)]  # fmt: skip
    page(tmp_path, graded)
    fill(tmp_path / "points.csv", {"override": "1"}, 0)
    found = page(tmp_path, graded)
    assert told(found)["ps4-a"][:2] == ("2", "2")
    assert "1 changed by you" in told(found)["ps4-a"][2]
    assert "mean 0.8, median 1.0, of 1." in " ".join(found.get_text(" ").split())


def test_only_the_most_frequent_messages_are_shown(tmp_path):
    graded = [(submission(f"student {n}"), outcome(question("ps4-a", 0.0, message="abcdefg"[n])))
              for n in (0, 0, 0, 1, 1, 2, 3, 4)]  # fmt: skip
    graded = [(submission(f"{n}"), made) for n, (_, made) in enumerate(graded)]
    row = told(page(tmp_path, graded))["ps4-a"][2]
    assert "3 × a 2 × b 1 × c 2 with other messages" in row


def test_problem_sets_follow_each_other(tmp_path):
    graded = [(submission("Ada", name=name), outcome(question(f"{name}-a", 1.0)))
              for name in ("ps2", "ps1")]  # fmt: skip
    assert [title.get_text() for title in page(tmp_path, graded)("h2")] == ["ps1", "ps2"]


def test_what_one_handed_in_and_what_is_unknown_come_last(tmp_path):
    names = ["?", "?", "ps1", "ps2", "ps2", "ps3", "ps3"]
    graded = [(submission(f"{n}", name=name), outcome(question(f"{name}-a", 1.0)))
              for n, name in enumerate(names)]  # fmt: skip
    titles = [title.get_text() for title in page(tmp_path, graded)("h2")]
    assert titles == ["ps2", "ps3", "ps1", "?"]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("first difference at step 10: expected 0.08, got 8e-02", "first difference at step …: "
         "expected …, got …"),
        ("got -inf, then nan and .5", "got …, then … and …"),
        ("name 'x1' is in ps4 and float32", "name 'x1' is in ps4 and float32"),
        ("two\n  lines  3", "two lines …"),
    ],
)  # fmt: skip
def test_messages_are_alike_but_for_their_numbers(message, kind):
    assert alike(message) == kind
