"""The gradebook and the pages: names that a disk takes, and rows for what is nobody's."""

from pathlib import Path

import made_up
import pytest
from bs4 import BeautifulSoup

from classroom import __main__, batch, collect, report, worker

SETS = ["ps1", "ps2"]


def failed(submission):
    return worker.nothing(submission.problem or "damaged")


def write(folder, *paths, roster=None, **more):
    """The rows of the gradebook, and the names of the pages, of files that cannot be graded."""
    for path in paths:
        (folder / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / path).write_text(path)
    if roster:
        more["roster"] = folder / "students.csv"
        more["roster"].write_text(roster, encoding="utf-8")
    found = collect.collect(folder / "in", SETS, **more).submissions
    report.write(folder, folder / "in", found, {one.key: failed(one) for one in found})
    rows = made_up.table(folder / "gradebook.csv")
    return rows, sorted(path.name for path in (folder / "feedback").iterdir())


NAMES = ["가" * 80, "가" * 79 + "나", "é" * 120, "a" * 240, "Ada", "ada", ".hidden" * 20]


def test_long_names_have_pages_that_a_disk_takes(tmp_path):
    paths = [f"{name}/ps1.ipynb" for name in NAMES] + ["나" * 60 + "_ps1.ipynb"]
    rows, pages = write(tmp_path, *paths[:6], paths[7])
    assert len(rows) == len(pages) == len(NAMES)
    assert all(len(name.encode()) <= 120 for name in pages)
    assert len({name.casefold() for name in pages}) == len(pages)
    assert write(tmp_path)[1] == pages  # the same in every run


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_page_does_not_depend_on_the_others(name):
    others = {("Bob", ""), ("Bob", "1"), ("가" * 90, "")}
    assert report.page_names({(name, "7")}) == {(name, "7"): report.file_name(name, "7")}
    assert report.page_names({(name, "7"), *others})[name, "7"] == report.file_name(name, "7")
    assert not report.file_name(name, "7").startswith(".")


def test_names_that_differ_in_what_a_disk_cannot_hold():
    students = {("a/b", ""), ("a_b", ""), ("a", "b"), ("A", "B")}
    names = report.page_names(students)
    assert len({name.casefold() for name in names.values()}) == 4
    assert not any("/" in name for name in names.values())


def test_what_is_nobodys_has_a_row_and_no_page(tmp_path):
    rows, pages = write(tmp_path, "kim_ps1_final.ipynb", "ps1.ipynb", "Ada/ps1.py", "Bob/ps1.ipynb")
    found = {row["file"]: (row["student"], row["status"], row["reason"][:21]) for row in rows}
    assert found == {
        "kim_ps1_final.ipynb": ("?", "not graded", "cannot tell whose thi"),
        "ps1.ipynb": ("?", "not graded", "cannot tell whose thi"),
        "Ada/ps1.py": ("Ada", "not graded", "no notebook (*.ipynb)"),
        "Bob/ps1.ipynb": ("Bob", "not graded", "damaged"),
    }
    assert pages == ["Ada.html", "Bob.html"]


def test_late_attempts_and_the_missing(tmp_path):
    rows, pages = write(
        tmp_path, "lovelaceada_4711_99_ps1.ipynb", "lovelaceada_LATE_4711_120_ps1-1.ipynb",
        roster="id,name\n1,Ada Lovelace\n2,Bob Ray\n", latest=True,
    )  # fmt: skip
    ada, bob = sorted(rows, key=lambda row: row["roster id"])
    assert (ada["student"], ada["id"], ada["roster id"]) == ("lovelaceada", "4711", "1")
    assert (ada["late"], ada["attempt"]) == ("late", "resubmission 1")
    assert ada["notes"] == "the latest of 2 attempts, without lovelaceada_4711_99_ps1.ipynb"
    assert (bob["student"], bob["status"], bob["reason"]) == (
        "Bob Ray", "not handed in", "not handed in"
    )  # fmt: skip
    assert bob["file"] == bob["points"] == "" and pages == ["lovelaceada_4711.html"]


NOTES = {  # note: whether the student reads it
    "not on the roster": False,
    "the name of the file says 'X'": False,
    "changed cells put back: ps4-a-check": False,
    "out of time: ps4-a": True,
    "not run, out of time: ps4-b": True,
    "could not import: cell 3 (No module named 'x'; y)": True,
    "the latest of 2 attempts, without old.ipynb": True,
    "answers missing: ps4-c": True,
}


def test_notes_for_the_teacher_are_not_on_the_page_of_the_student(tmp_path):
    one, made = made_up.submission("Ada"), made_up.outcome(made_up.question("ps4-a", 1.0))
    one.notes, made["notes"] = list(NOTES)[:2], list(NOTES)[2:]
    (row,) = made_up.write(tmp_path, [(one, made)])
    assert row["notes"] == "; ".join(NOTES)
    text = BeautifulSoup((tmp_path / "feedback" / "Ada.html").read_text(), "html.parser").text
    assert {note: note in text for note in NOTES} == NOTES


@pytest.mark.parametrize(
    ("changed", "others", "asked"), [(5, 4, True), (5, 5, False), (4, 0, False), (6, 5, True)]
)
def test_cells_that_most_of_a_class_changed_are_asked_about_once(changed, others, asked):
    submissions, outcomes = [], {}
    for number in range(changed + others):
        submissions.append(made_up.submission(f"{number}", name="ps3"))
        made = outcomes[submissions[-1].key] = made_up.outcome()
        if number < changed:
            more = f", ps3-x{number}-check" if number else ""
            made["notes"] = [f"changed cells put back: ps3-a-check{more}"]
    told = report.other_versions(submissions, outcomes)
    question = "ps3: most have the same changed cells: were they handed out in another version?"
    assert told == [question] * asked


def test_a_page_explains_the_checks_and_calls_no_text_right(tmp_path):
    check = made_up.question("ps4-a-check", 2.0)
    text = made_up.written("my text", 5.0)
    made_up.write(tmp_path, [(made_up.submission("Ada"), made_up.outcome(check, text))])
    made_up.fill(tmp_path / "written.csv", {"points": "5"})
    made_up.write(tmp_path, [(made_up.submission("Ada"), made_up.outcome(check, text))])
    page = BeautifulSoup((tmp_path / "feedback" / "Ada.html").read_text(), "html.parser")
    rows = [row.get_text(" ", strip=True) for row in page("tr")[1:]]
    assert rows == ["2 of 2 ps4-a-check: right", "5 of 5 ps4-explain"]
    assert "-hidden does the same with other numbers. Steps count from 0." in page.text


def test_after_an_interruption_those_still_to_do_have_rows_and_no_page(tmp_path, monkeypatch):
    for path in ("Ada/ps1.ipynb", "Bob/ps1.ipynb"):
        (tmp_path / "in" / path).parent.mkdir(parents=True)
        (tmp_path / "in" / path).write_text(path)

    def interrupted(todo, outcomes, *_):
        outcomes[todo[0].key] = worker.nothing("damaged")
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "grade_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batch.grade_folder(tmp_path / "in", tmp_path / "out", in_sandbox=False)
    rows = made_up.table(tmp_path / "out" / "gradebook.csv")
    assert [(row["student"], row["status"], row["reason"]) for row in rows] == [
        ("Ada", "not graded", "damaged"),
        ("Bob", "not graded", "not graded yet: run the same command again"),
    ]
    assert [path.name for path in (tmp_path / "out" / "feedback").iterdir()] == ["Ada.html"]
    assert not list((tmp_path / "out" / "outcomes").iterdir())  # none is taken for done


def test_the_command_passes_its_options_on_and_lists_the_missing(tmp_path, monkeypatch, capsys):
    given = {}

    def grade_folder(folder, target, **more):
        given.update(more)
        row = dict.fromkeys(report.GRADEBOOK, "") | {"problem set": "ps1"}
        return [row | {"student": "Bob", "status": "not handed in", "reason": "not handed in"},
                row | {"student": "?", "status": "not graded", "reason": "whose?", "file": "x"}]

    monkeypatch.setattr(batch, "grade_folder", grade_folder)
    __main__.main(["grade", str(tmp_path), "--roster", "students.csv", "--latest"])
    assert given["roster"] == Path("students.csv") and given["latest"] is True
    said = capsys.readouterr().out
    assert "   1 not handed in" in said and "     Bob, ps1: not handed in" in said
    assert "     x, ps1: whose?" in said


def test_a_long_list_of_the_missing_is_cut(tmp_path, monkeypatch, capsys):
    missing = {"problem set": "ps1", "status": "not handed in", "reason": "not handed in"}
    rows = [dict.fromkeys(report.GRADEBOOK, "") | missing | {"student": f"{n:02}"}
            for n in range(23)]  # fmt: skip
    rows.append(rows[0] | {"student": "Zoe", "status": "not graded", "reason": "damaged"})
    monkeypatch.setattr(batch, "grade_folder", lambda *_, **__: rows)
    __main__.main(["grade", str(tmp_path), "--roster", "students.csv"])
    said = capsys.readouterr().out
    assert "     Zoe, ps1: damaged" in said and said.count(", ps1: not handed in") == 20
    assert "     19, ps1: not handed in\n     … and 3 more: see gradebook.csv" in said


def test_nothing_that_a_terminal_obeys_is_printed(tmp_path, capsys):
    """Names, paths, the roster and errors; all is ungradable, so nothing runs."""
    bad = "\x1b[31m\x07\x9b\u202e"
    folder = tmp_path / f"in{bad}"
    for path in (f"ps1{bad}.ipynb", f"extra{bad}.txt", f"Eve{bad}/ps1.py", "Eve/ps1.pdf"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    roster = tmp_path / "students.csv"
    roster.write_text(f"id,name\n1,Ada{bad}\n", encoding="utf-8")
    command = ["grade", str(folder), "--without-sandbox", "--roster", str(roster)]
    __main__.main(command)
    said = capsys.readouterr().out
    assert "\\x1b[31m\\x07\\x9b\\u202e" in said and "Not on the roster" in said
    assert "Not a notebook" in said and "Ada\\x1b" in said and "The results are in" in said
    (written,) = tmp_path.glob("in*-grades")
    (written / "points.csv").write_text(f"student,{bad}\n", encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        __main__.main(command)
    assert "must name the columns" in str(stopped.value)
    for text in (said, capsys.readouterr().out, str(stopped.value)):
        assert text.replace("\n", "").isprintable()


def test_the_command_says_what_it_made_and_what_to_do(tmp_path, capsys, monkeypatch):
    def grade_folder(folder, target, **more):
        assert more["written"] == Path("mine.csv")
        target.mkdir()
        (target / "written.html").write_text("x")
        return [dict.fromkeys(report.GRADEBOOK, "") | {"status": "needs hand grading"}]

    monkeypatch.setattr(batch, "grade_folder", grade_folder)
    __main__.main(["grade", str(tmp_path / "in"), "--written", "mine.csv"])
    said = capsys.readouterr().out
    assert f"The results are in {tmp_path}/in-grades:\n     written.html" in said
    assert "gradebook.csv" not in said and "with --written" in said
