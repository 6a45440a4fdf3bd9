"""The files that a teacher fills in: what is given by hand counts, and is never lost."""

import csv
import io
import re

import pytest
from made_up import FOLDER, fill, outcome, question, submission, table, write, written

from classroom import batch, collect, filled, report
from classroom.course import CourseError
from classroom.tables import as_csv, harmless, original

csv.field_size_limit(2**30)
ADA = submission("'t Hooft", "0812")


def answered(folder, text, **more):
    (found,) = write(folder, [(ADA, outcome(written(text)))], **more)
    return found["status"], found["points"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "utf-16", "cp949"])
def test_points_survive_what_a_spreadsheet_does(tmp_path, delimiter, encoding):
    answer = "'인용'\nsecond line; and\tmore, \"so\"\n" + 200_000 * "x"
    assert answered(tmp_path, answer) == ("needs hand grading", "0")
    mangled = {"student": "t Hooft", "id": "812", "points": "3,5", "answer": answer[:32767]}
    mangled["comment"] = "잘했어요"
    fill(tmp_path / "written.csv", mangled, 0, delimiter, encoding)
    assert answered(tmp_path, answer) == ("graded", "3.5")
    assert answered(tmp_path, answer) == ("graded", "3.5")
    assert "잘했어요" in (tmp_path / "feedback" / "'t Hooft_0812.html").read_text()


def test_the_first_line_tells_the_delimiter_however_it_is_written(tmp_path):
    answered(tmp_path, "answer")
    path = tmp_path / "written.csv"
    fill(path, {"points": "4"}, delimiter=";")
    lines = path.read_text(encoding="utf-8-sig").split("\n", 1)
    names = '"Student, all";' + ";".join(f'"{name.title()} "' for name in lines[0].split(";"))
    path.write_text(f"sep=;\n{names.strip()}\n,,,,,,,,,,,;{lines[1]}", encoding="utf-8")
    assert answered(tmp_path, "answer") == ("graded", "4")


def test_points_for_another_answer_are_kept_but_do_not_count(tmp_path, capsys):
    answered(tmp_path, "old")
    fill(tmp_path / "written.csv", {"points": "4", "comment": "=good"})
    assert answered(tmp_path, "new") == ("needs hand grading", "0")
    told = "written.csv: 1 filled in for what is not there now ('t Hooft ps4-explain), kept at the"
    assert told in capsys.readouterr().out
    rows = table(tmp_path / "written.csv")
    assert [(row["answer"], row["status"]) for row in rows] == [("new", ""), ("old", "old")]
    assert answered(tmp_path, "old") == ("graded", "4")
    assert [row["status"] for row in table(tmp_path / "written.csv")] == [""]


def test_three_of_what_is_not_there_now_are_named_and_files_without_a_status_are_read(
    tmp_path, capsys
):
    there = [(submission(f"S{n}"), outcome(question("ps4-toy-good", 1.0))) for n in range(4)]
    write(tmp_path, there)
    path = tmp_path / "points.csv"
    rows = [{name: row[name] for name in row if name != "status"} | {"override": "2"}
            for row in table(path)]  # fmt: skip
    path.write_text(as_csv(list(rows[0]), rows), encoding="utf-8")  # as older versions wrote it
    capsys.readouterr()
    write(tmp_path, [(ADA, outcome(question("ps4-toy-good", 1.0)))])
    assert "(S0 ps4-toy-good, S1 ps4-toy-good, S2 ps4-toy-good, …)" in capsys.readouterr().out
    assert [row["status"] for row in table(path)] == ["", "old", "old", "old", "old"]
    assert [row["points"] for row in write(tmp_path, there)] == ["2"] * 4


def test_points_above_a_maximum_that_fell_are_kept_but_do_not_count(tmp_path):
    answered(tmp_path, "answer")
    fill(tmp_path / "written.csv", {"points": "4"})
    (row,) = write(tmp_path, [(ADA, outcome(written("answer", of=3.0)))])
    assert (row["status"], row["points"]) == ("needs hand grading", "0")
    assert [row["points"] for row in table(tmp_path / "written.csv")] == ["", "4"]


@pytest.mark.parametrize("key", ["", "same"])
def test_a_row_without_its_key_is_refused(tmp_path, key):
    answered(tmp_path, "answer")
    path = tmp_path / "written.csv"
    fill(path, {"points": "4", "key": key})
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[-1])
    with pytest.raises(CourseError, match=r"written.csv, row [23] .*: the column key must stay"):
        filled.read_given(tmp_path)


@pytest.mark.parametrize("text", ["6", "-1", "nan", "three", "1,2,3", "inf"])
@pytest.mark.parametrize(("name", "field"), [("written.csv", "points"), ("points.csv", "override")])
def test_points_that_are_none_stop_all_before_anything_is_graded(tmp_path, name, field, text):
    there = [(ADA, outcome(written("x"), question("ps4-toy-good", 2.0, 5.0)))]
    (tmp_path / "in-grades").mkdir()
    write(tmp_path / "in-grades", there)
    path = tmp_path / "in-grades" / name
    fill(path, {field: text})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada_ps4.ipynb").write_text("{}")
    says = f"{name}, row 2 ('t Hooft): {field} must be a number from 0 to 5, got '{text}'"
    with pytest.raises(CourseError, match=re.escape(says)):
        batch.grade_folder(tmp_path / "in", tmp_path / "in-grades", in_sandbox=False)
    assert all(path.read_bytes() == data for path, data in before.items())
    assert not (tmp_path / "in-grades" / "outcomes").exists()


def test_a_file_in_no_known_encoding_is_refused(tmp_path):
    answered(tmp_path, "Straße")
    path = tmp_path / "written.csv"
    path.write_bytes(path.read_text(encoding="utf-8-sig").encode("cp1252"))
    with pytest.raises(CourseError, match="written.csv: save it as CSV in UTF-8"):
        filled.read_given(tmp_path)


def test_a_file_that_lacks_a_column_is_refused(tmp_path):
    (tmp_path / "points.csv").write_text("student,override\nAda,3\n")
    with pytest.raises(CourseError, match="must name the columns .* and key .missing: id, "):
        filled.read_given(tmp_path)


def test_another_file_is_read_in_place_of_written_csv(tmp_path, capsys):
    """What it holds counts, also an emptied row; what it lacks stays."""
    bob, eve = submission("Bob"), submission("Eve")
    there = [(one, outcome(written(one.student))) for one in (ADA, bob, eve)]
    write(tmp_path, there)
    for row in range(3):
        fill(tmp_path / "written.csv", {"points": "1", "comment": "old"}, row)
    other = tmp_path / "from the page.csv"
    other.write_bytes((tmp_path / "written.csv").read_bytes())
    fill(other, {"points": "4", "comment": ""}, 0)
    fill(other, {"points": "", "comment": ""}, 1)
    lines = other.read_bytes().splitlines(keepends=True)
    other.write_bytes(b"".join(lines[:3]))
    capsys.readouterr()
    rows = write(tmp_path, there, written=other)
    assert capsys.readouterr().out == (
        "written.csv: 2 had other points or comments, which are replaced\n"
    )
    assert [row["points"] for row in rows] == ["4", "0", "1"]
    assert [row["comment"] for row in table(tmp_path / "written.csv")] == ["", "", "old"]
    with pytest.raises(CourseError, match="none.csv cannot be read"):
        write(tmp_path, there, written=tmp_path / "none.csv")


def test_two_students_never_share_a_page(tmp_path):
    same = [ADA, submission("'t Hooft_0812")]
    write(tmp_path, [(one, outcome(written("x"))) for one in same])
    assert len(list((tmp_path / "feedback").iterdir())) == 2


# --- points of checks


def checked(folder, digest="0", points=1.0, of=2.0):
    check = question("ps4-toy-good", points, of, message="expected <0.012>, got 0.3")
    (row,) = write(folder, [(submission("Ada", digest=digest), outcome(check))])
    return row["points"]


def test_a_teacher_changes_the_points_of_a_check(tmp_path):
    assert checked(tmp_path) == "1"
    (row,) = table(tmp_path / "points.csv")
    assert list(row) == filled.POINTS
    assert (row["question"], row["of"], row["points"]) == ("ps4-toy-good", "2", "1")
    assert (row["override"], row["message"]) == ("", "expected <0.012>, got 0.3")
    fill(tmp_path / "points.csv", {"override": "1,5", "comment": "the <idea> is right"})
    for _ in range(2):
        assert checked(tmp_path) == "1.5"
        (row,) = table(tmp_path / "points.csv")
        assert (row["points"], row["override"]) == ("1", "1.5")
        page = (tmp_path / "feedback" / "Ada.html").read_text()
        assert "1.5 of 2" in page and "the check gave 1." in page
        assert "the &lt;idea&gt; is right" in page
    assert checked(tmp_path, points=0.0) == "1.5"  # graded again
    assert table(tmp_path / "points.csv")[0]["points"] == "0"


def test_a_zero_given_by_hand_counts_and_so_does_a_comment_alone(tmp_path):
    checked(tmp_path)
    fill(tmp_path / "points.csv", {"override": "0"})
    assert checked(tmp_path) == "0"
    fill(tmp_path / "points.csv", {"override": "", "comment": "look at step 3"})
    assert checked(tmp_path) == "1"
    page = (tmp_path / "feedback" / "Ada.html").read_text()
    assert "look at step 3" in page and "the check gave" not in page


def test_points_belong_to_the_file_that_was_handed_in(tmp_path, capsys):
    checked(tmp_path)
    fill(tmp_path / "points.csv", {"override": "2", "comment": "kept"})
    assert checked(tmp_path, digest="other") == "1"
    assert "points.csv: 1 filled in for what is not there now" in capsys.readouterr().out
    rows = table(tmp_path / "points.csv")
    assert [(row["override"], row["comment"]) for row in rows] == [("", ""), ("2", "kept")]
    assert checked(tmp_path, digest="other") == "1" and len(table(tmp_path / "points.csv")) == 2
    assert checked(tmp_path) == "2"


def test_an_answer_that_was_not_written_can_have_points_too(tmp_path):
    there = [(ADA, outcome(question("ps4-explain", 0.0, 5.0, message="not answered")))]
    write(tmp_path, there)
    fill(tmp_path / "points.csv", {"override": "2"})
    assert write(tmp_path, there)[0]["points"] == "2"


# --- what spreadsheets, terminals and pages must not get

FORMULAS = ["=1", "+1", "-1", "@x", "＝1", "＋1", "－1", "＠x"]
BEFORE = ["", " ", "\t", "\r", "\n", "x;", "x,", "x\t", "x\n", "x\r\n  ", 'x;"', '"', "\u00a0",
          "x; \u3000", "x\u2028", "\x00", "x;\x0b", "\ufeff"]  # fmt: skip


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_begins_a_formula_wherever_a_spreadsheet_splits(before, formula):
    text = before + formula
    file = as_csv(["one", "two"], [{"one": text, "two": "b"}])
    for delimiter in ",;\t":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            lines = io.StringIO(file.removeprefix("\ufeff"), newline="")
            cells = [cell for row in csv.reader(lines, delimiter=delimiter, quoting=quoting)
                     for whole in row for cell in re.split(r"[\n\r\u2028]", whole)]  # fmt: skip
            begin = [re.sub(r'[\s"\ufeff]', "", cell)[:1] for cell in cells]
            assert not set(begin) & set("=+-@＝＋－＠"), cells
    assert original(harmless(text)) == text
    assert harmless(original(harmless(text))) == harmless(text)


@pytest.mark.parametrize("text", ["", "x = 1", "a-b", "1e-5", "'t Hooft", "it's -1", "'=x", "''-1"])
def test_text_is_the_same_after_it_was_made_harmless(text):
    assert original(harmless(text)) == text


def test_what_is_long_and_hostile_takes_no_time():
    for text in ("\n" * 10**6, " " * 10**6, ";" * 10**6, ';"' * 10**6, "'" * 10**6):
        assert harmless(text) == text


UNSEEN = "\x00\x07\x1b[31m\x7f\x85\x9b31m\u202e\u2066\u2069"


def test_what_a_terminal_would_obey_gets_nowhere(tmp_path, capsys):
    name = f"Eve{UNSEEN}"
    folder = tmp_path / "in" / name.replace("\x00", "")
    folder.mkdir(parents=True)
    (folder / "ps1.ipynb").write_text("x")
    (folder / f"extra{UNSEEN[1:]}.txt").write_text("x")
    found = collect.collect(tmp_path / "in", ["ps1"])
    (eve,) = found.submissions
    made = outcome(written(f"answer\t{UNSEEN}\r\nnext"), question("ps1-a", 0.0, message=UNSEEN))
    made["notes"] = [UNSEEN]
    report.write(tmp_path, tmp_path / "in", [eve], {eve.key: made})
    texts = [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.*")]
    texts += [path.read_text(encoding="utf-8") for path in (tmp_path / "feedback").iterdir()]
    texts += [path.name for path in (tmp_path / "feedback").iterdir()]
    assert len(texts) >= 5
    for text in texts:
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]",
                             text)  # fmt: skip
    assert "answer\t\\x00\\x07\\x1b[31m" in table(tmp_path / "written.csv")[0]["answer"]
    assert all("\\u202e" in row["student"] for row in table(tmp_path / "gradebook.csv"))
    assert FOLDER.name not in capsys.readouterr().out
