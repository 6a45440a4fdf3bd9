"""What goes back to Moodle and Canvas: found again by the rules in the sources of both.

The rules are written down here once more, as small readers: the platforms cannot be run here.
"""

import csv
import io
import re
import zipfile

import nbformat
import pytest
from made_up import FOLDER, fill, outcome, question, submission, write, written

from classroom import worker
from classroom.giveback import place_of

ADA = "Ada Lovelace_812_assignsubmission_file_"
PATHS = {
    ("Ada Lovelace", "812"): f"{ADA}/ps4.ipynb",
    ("김민수", "813"): "Section A/김민수_813_assignsubmission_file/deep/my ps4.ipynb",
    ("Bob Ray", "814"): "Bob Ray_814_assignsubmission_file_ps4.ipynb",
    ("raycarol", "4711"): "raycarol_4711_99_ps4.ipynb",
    ("leekim", "4712"): "leekim_LATE_4712_100_my_2024_work-1.ipynb",
    ("anon_x1Y", ""): "anon_x1Y_101_ps4.ipynb",
    ("Dan Ito", ""): "Dan Ito/ps4.ipynb",
    ("Eve", ""): "Eve/Ada Lovelace_812_assignsubmission_file_ps4.ipynb",
}


def checks(points=3.0, **more):
    return outcome(question("ps4-a", points, 3.0, heading="Stairs", **more))


def given_back(target, graded=None):
    graded = graded or [(submission(*who, path=path), checks()) for who, path in PATHS.items()]
    write(target, graded)
    return {path.name: path for path in (target / "return").glob("*")}


def packed(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def rows_of(path):
    assert not path.read_bytes().startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def moodle_knows(path):
    """Participant, plugin and file, as is_valid_filename_for_import finds them."""
    parts = path.split("/")
    assert not parts[-1].startswith((".", "~"))
    while parts:
        info = parts.pop(0).split("_", 4)
        if len(info) < 4 or not info[1].isdigit():
            continue
        rest = info[4] if len(info) > 4 else ""
        return int(info[1]), info[2:4], "/".join([rest, *parts]).lstrip("/")
    return None


def canvas_knows(name):
    """User (or the anonymous one) and attachment, as infer_comment_context_from_filename does."""
    parts = [part for part in name.split("_") if part != "LATE"]
    if parts[0] == "anon":
        return parts[1], parts[2]
    return tuple(part for part in parts if re.fullmatch(r"\d+", part))[:2]


def test_moodle_finds_each_student_and_calls_the_page_feedback(tmp_path):
    pages = packed(given_back(tmp_path)["moodle_feedback_ps4.zip"])
    assert {moodle_knows(name)[0] for name in pages} == {812, 813, 814}
    assert all(moodle_knows(name)[1:] == (["assignsubmission", "file"], "feedback.html")
               for name in pages)  # fmt: skip
    assert "Feedback for Ada Lovelace" in pages[f"{ADA}/feedback.html"]
    assert "김민수_813_assignsubmission_file/feedback.html" in pages


def test_canvas_finds_each_student_and_gets_notebooks(tmp_path):
    notebooks = packed(given_back(tmp_path)["canvas_feedback_ps4.zip"])
    assert {canvas_knows(name) for name in notebooks} == {
        ("4711", "99"), ("4712", "100"), ("x1Y", "101")
    }  # fmt: skip
    assert set(notebooks) < set(PATHS.values())
    for text in notebooks.values():
        nbformat.validate(nbformat.reads(text, as_version=4))


def test_a_feedback_notebook_says_what_the_page_says(tmp_path):
    check = question("ps4-a", 1.0, 3.0, heading="Stairs", message="~~~\nexpected 3\n~~~~", answers=[
        {"source": "rate = \x1b 3", "output": "printed\n"}
    ])  # fmt: skip
    text = written("What I *measured*", heading="Explain",
                   answers=[{"source": "What I *measured*", "output": ""}])  # fmt: skip
    graded = [(submission("raycarol", "4711", path="raycarol_4711_99_ps4.ipynb"),
               outcome(check, text))]  # fmt: skip
    write(tmp_path, graded)
    fill(tmp_path / "written.csv", {"points": "4", "comment": "good"})
    fill(tmp_path / "points.csv", {"override": "2"})
    (text,) = packed(given_back(tmp_path, graded)["canvas_feedback_ps4.zip"]).values()
    cells = nbformat.reads(text, as_version=4).cells
    assert [cell.cell_type for cell in cells] == ["markdown"] * 2 + ["code"] + ["markdown"] * 2
    assert "**6 of 8 points**" in cells[0].source
    assert "**2 of 3**: ps4-a\n\n(The check gave 1.)" in cells[1].source
    assert "~~~~~text\n~~~\nexpected 3\n~~~~\n~~~~~" in cells[1].source
    assert cells[2].source == "rate = \\x1b 3" and cells[2].outputs[0].text == "printed\n"
    assert "**4 of 5**: ps4-explain" in cells[3].source and "\ngood\n" in cells[3].source
    assert cells[4].source == "What I *measured*"


def test_moodle_takes_the_grades(tmp_path):
    head, *rows = rows_of(given_back(tmp_path)["moodle_grades_ps4.csv"])
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(head)
    assert "Feedback comments" not in head  # an empty one would replace what a teacher wrote there
    assert [row[:4] for row in rows] == [
        ["Participant 812", "Ada Lovelace", "3", "3"],
        ["Participant 813", "김민수", "3", "3"],
        ["Participant 814", "Bob Ray", "3", "3"],
    ]
    assert {len(row) for row in rows} == {len(head)}


def test_moodle_gets_comments_as_html(tmp_path):
    given_back(tmp_path)
    fill(tmp_path / "points.csv", {"comment": "see <b>\nand & more"})
    head, *rows = rows_of(given_back(tmp_path)["moodle_grades_ps4.csv"])
    assert head[-1] == "Feedback comments"
    assert [row[-1] for row in rows] == ["<p>ps4-a: see &lt;b&gt;<br>and &amp; more</p>", "", ""]


def test_canvas_takes_the_grades(tmp_path):
    head, points, *rows = rows_of(given_back(tmp_path)["canvas_grades_ps4.csv"])
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "ps4"]
    assert "Points Possible" in points[0] and points[-1] == "3"
    assert sorted((row[1], row[-1]) for row in rows) == [("4711", "3"), ("4712", "3")]


def test_only_complete_points_go_back(tmp_path):
    graded = [
        (submission("Ada Lovelace", "812", path=f"{ADA}/ps4.ipynb"), outcome(written("x"))),
        (submission("raycarol", "4711", path="raycarol_4711_99_ps4.ipynb"), worker.nothing("why")),
    ]
    assert given_back(tmp_path, graded) == {}
    fill(tmp_path / "written.csv", {"points": "0"})
    files = given_back(tmp_path, graded)
    assert set(files) == {"moodle_feedback_ps4.zip", "moodle_grades_ps4.csv"}
    assert rows_of(files["moodle_grades_ps4.csv"])[1][2] == "0"


def test_each_problem_set_has_files_of_its_own_and_old_ones_go(tmp_path):
    path = f"{ADA}/{{}}.ipynb"
    both = [(submission("Ada Lovelace", "812", name, path.format(name)), checks(message=name))
            for name in ("ps1", "ps2")]  # fmt: skip
    files = given_back(tmp_path, both)
    assert set(files) == {f"moodle_{what}" for name in ("ps1", "ps2")
                          for what in (f"feedback_{name}.zip", f"grades_{name}.csv")}  # fmt: skip
    (page,) = packed(files["moodle_feedback_ps2.zip"]).values()
    assert "ps2" in page and "ps1" not in page
    (tmp_path / "return" / "mine.txt").write_text("a teacher's")
    assert set(given_back(tmp_path, both[:1])) == {
        "moodle_feedback_ps1.zip", "moodle_grades_ps1.csv", "mine.txt"
    }  # fmt: skip


def test_equal_results_are_equal_bytes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = given_back(tmp_path / "a"), given_back(tmp_path / "b")
    assert len(one) == 4
    assert all(one[name].read_bytes() == other[name].read_bytes() for name in one)


@pytest.mark.parametrize(
    ("student", "path"),
    [
        ("Dan Ito", "Dan Ito/ps4.ipynb"),
        ("Eve", "Eve/Ada Lovelace_812_assignsubmission_file_ps4.ipynb"),
        ("Eve", "Eve/raycarol_4711_99_ps4.ipynb"),
        ("Eve", "1234-99 - Eve - Jan 1, 2025 1200 AM/ps4.ipynb"),
    ],
)
def test_what_names_somebody_else_or_is_from_nowhere_does_not_go_back(student, path):
    assert place_of(submission(student, path=path), FOLDER) is None


def test_a_students_file_that_looks_like_canvas_goes_back_to_moodle():
    path = f"{ADA}/lovelaceada_4711_99_ps4.ipynb"
    place = place_of(submission("Ada Lovelace", "812", path=path), FOLDER)
    assert place == ("Moodle", f"{ADA}/feedback.html", "812")
