"""Who handed in what: folders as platforms and teachers make them, and nothing is graded."""

import csv
import io
import json
import os
import sys
import unicodedata
import zipfile
from pathlib import Path

import pytest

from classroom import collect, roster
from classroom.__main__ import main
from classroom.batch import Kept
from classroom.course import CourseError

SETS = ["ps1", "ps2", "ps3", "ps4"]
CLASS = ["Ada Lovelace", "Bob Ray", "Carol Poe", "Dan Ito"]
ADAS = "lovelaceada_4711_99_ps1.ipynb"
only_on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such names")


def lay(folder, *paths):
    """Files that all differ; a path that ends with / is an empty folder."""
    for number, path in enumerate(paths):
        path, is_folder = folder / path, str(path).endswith("/")
        (path if is_folder else path.parent).mkdir(parents=True, exist_ok=True)
        if not is_folder:
            path.write_text(f"{number}")


def collected(folder, *paths, roster=None, **more):
    lay(folder / "in", *paths)
    if roster is not None:
        more["roster"] = folder / "students.csv"
        more["roster"].write_text(roster, encoding="utf-8")
    return collect.collect(folder / "in", SETS, **more)


def rows(folder, *paths, **more):
    """{path of the first file: (student, why it is not graded)} of what was collected."""
    found = collected(folder, *paths, **more).submissions
    assert len({one.key for one in found}) == len(found)
    return {
        one.path.relative_to(folder / "in").as_posix() if one.path else f"{one.student} {one.name}":
        (one.student, one.problem)
        for one in found
    }  # fmt: skip


def graded(folder, *paths, **more):
    """{path: student} of what is graded; the rest must have a reason in words."""
    return {path: who for path, (who, why) in rows(folder, *paths, **more).items() if not why}


# --- one name that says it


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("Ada Lovelace_812_assignsubmission_file_/ps1.ipynb", ("Ada Lovelace", "812")),
        ("Ada Lovelace_812_assignsubmission_file/work/ps1 (1).ipynb", ("Ada Lovelace", "812")),
        ("Ada Lovelace_812_assignsubmission_file_ps1.ipynb", ("Ada Lovelace", "812")),
        ("12-34 - Ada Lovelace - Mar 1, 2026 905 AM/ps1.ipynb", ("Ada Lovelace", "12")),
        ("lovelaceada_4711_99_ps1.ipynb", ("lovelaceada", "4711")),
        ("lovelaceada_LATE_4711_99_ps1-1.ipynb", ("lovelaceada", "4711")),
        ("Problem 1_alovelace_attempt_2026-03-01-12-00-00_ps1.ipynb", ("alovelace", "")),
        ("CS1-PS 1-8123/Ada Lovelace_812_assignsubmission_file_/a.ipynb", ("Ada Lovelace", "812")),
        ("all/Ada Lovelace_812_assignsubmission_file_ps1.ipynb", ("Ada Lovelace", "812")),
        ("submissions/lovelaceada_4711_99_ps1.ipynb", ("lovelaceada", "4711")),
        ("lovelaceada_12_99_final.ipynb", ("lovelaceada", "12")),
        ("Ada Lovelace/my_12_34_ps1.ipynb", ("Ada Lovelace", "")),
        ("Ada Lovelace/hw_2026_03_01.ipynb", ("Ada Lovelace", "")),
        ("anon_a1B2c_99_final.ipynb", ("anon_a1B2c", "")),
        ("anon_12345_LATE_99_ps1.ipynb", ("anon_12345", "")),
        ("Problem 1_a_smith_attempt_2026-03-01-12-00-00_ps1.ipynb", ("a_smith", "")),
        ("Problem_1_a_smith_attempt_2026-03-01-12-00-00.ipynb", ("1_a_smith", "")),
        ("all/Problem 1_a_smith_attempt_2026-03-01-12-00-00_ps1.ipynb", ("a_smith", "")),
        ("Ada Lovelace/my_second_attempt_2026.ipynb", ("Ada Lovelace", "")),
        ("Ada Lovelace/untitled.ipynb", ("Ada Lovelace", "")),
        ("ps1/Ada Lovelace/ps1.ipynb", ("Ada Lovelace", "")),
        ("ps1/lovelace_ps1 (2).ipynb", ("lovelace", "")),
        ("lovelace_ps1-2.ipynb", ("lovelace", "")),
        ("ps1 - Ada Lovelace.ipynb", ("Ada Lovelace", "")),
        ("ps1 - Ada (2).ipynb", ("Ada", "")),
        ("ps1 - Group 3.ipynb", ("Group 3", "")),
        ("Group 3/ps1.ipynb", ("Group 3", "")),
        ("ps1 - Group 4 - Copy (2).ipynb", ("Group 4", "")),
        ("A\u030asa\u0301_ps1.ipynb", ("\u00c5s\u00e1", "")),
        ("Copy of lovelace_ps1.ipynb", ("lovelace", "")),
        ("ps1.ipynb", ("", "")),
        ("ps1 (1).ipynb", ("", "")),
        ("ps1-1.ipynb", ("", "")),
        ("ps1 - Copy (2).ipynb", ("", "")),
        ("ps1 - Kopie.ipynb", ("", "")),
        ("Copy of ps1.ipynb", ("", "")),
        ("Copy of Copy of ps1.ipynb", ("", "")),
        ("Kopie von ps1.ipynb", ("", "")),
        ("Copia de ps1.ipynb", ("", "")),
        ("Copie de ps1 (1).ipynb", ("", "")),
        ("notes.ipynb", ("", "")),
        ("final_ps1.ipynb", ("", "")),
        ("20231234_ps1.ipynb", ("", "")),
        ("kim_ps1_final.ipynb", ("", "")),
    ],
)
def test_whose_file_it_is(tmp_path, path, student):
    (found,) = collected(tmp_path, path).submissions
    assert (found.student, found.id) == student
    assert student[0] or found.problem.startswith("cannot tell whose this is: put it into a folder")


@only_on_linux
def test_names_that_are_not_utf8(tmp_path):
    for name in (b"Zo\xeb", b"Zo\xe9"):
        for inner in (b"/ps1.ipynb", b"/ps1-2.ipynb", b"/notes.txt"):
            lay(tmp_path, os.fsdecode(name + inner))
    lay(tmp_path / os.fsdecode(b"Zo\xe9"), "ps1.ipynb", "ps1-2.ipynb")
    found = collect.collect(tmp_path, SETS)
    texts = [text for one in found.submissions for text in (*one.key, one.problem)]
    assert "\n".join([*texts, *map(str, found.ignored)]).encode()
    assert [one.student for one in found.submissions] == ["Zo\\udce9", "Zo\\udceb"]


# --- one never stops the others


def test_files_of_nobody_are_rows_and_the_others_are_graded(tmp_path):
    strange = ["kim_ps1_final.ipynb", "20231234_ps1.ipynb", "ps1.ipynb", "ps1 (1).ipynb"]
    found = rows(tmp_path, "Ada/ps1.ipynb", "lee_ps1.ipynb", "all.zip", "Bob/ps1.zip", *strange)
    assert found["Ada/ps1.ipynb"] == ("Ada", "") and found["lee_ps1.ipynb"] == ("lee", "")
    assert all(found[path][0] == "" and "cannot tell whose" in found[path][1] for path in strange)
    assert found["Bob/ps1.zip"] == (
        "Bob", "no notebook (*.ipynb): ps1.zip is still packed: unpack it"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("ps1.py", "only ps1.py"),
        ("ps1.pdf", "only ps1.pdf"),
        ("ps1.ipynb.txt", "only ps1.ipynb.txt"),
        (".ipynb", ".ipynb is hidden: give it a name that does not start with a dot"),
        (".ps1.ipynb", ".ps1.ipynb is hidden"),
        (".work", "only .work"),
        ("._ps1.ipynb", "hidden"),
        (".ipynb_checkpoints/ps1-checkpoint.ipynb", "only ps1-checkpoint.ipynb"),
        ("work.zip", "work.zip is still packed"),
        ("Thumbs.db", "only Thumbs.db"),
        ("~$ps1.ipynb", "only ~$ps1.ipynb"),
        ("", "an empty folder"),
        ("answers/part 1/answers.docx", "only answers.docx"),
    ],
)
@pytest.mark.parametrize("bob", ["Bob", "submissions/Bob", "Bob_813_assignsubmission_file_"])
def test_nobody_vanishes(tmp_path, path, reason, bob):
    found = collected(tmp_path, f"{bob}/{path}", "submissions/Ada/ps1.ipynb").submissions
    (one,) = [one for one in found if one.student == "Bob"]
    assert len(found) == 2 and one.name == "ps1"
    assert one.problem.startswith("no notebook (*.ipynb): ") and reason in one.problem


def test_flat_files_that_are_no_notebooks_have_rows_too(tmp_path):
    found = rows(tmp_path, ADAS, "raybob_4712_98_ps1.py", "poecarol_LATE_4713_text.html", "x.pdf",
                 "PS_dito_attempt_2026-03-01-12-00-00.txt", ".kim_ps1.ipynb")  # fmt: skip
    assert {who for who, why in found.values() if why.startswith("no notebook")} == {
        "raybob", "poecarol", "dito", "kim"
    }  # fmt: skip
    assert "cannot tell whose" in found["x.pdf"][1]


def test_what_computers_leave_is_nobodys(tmp_path):
    left = ["Thumbs.db", "Ada/desktop.ini", "Ada/.DS_Store", "Ada/~$ps1.ipynb", ".git/config",
            "__MACOSX/Bob/._ps1.ipynb", "Ada/._ps1.ipynb", f"._{ADAS}", "late/"]  # fmt: skip
    found = collected(tmp_path, "Ada/ps1.ipynb", ADAS, *left)
    assert [one.student for one in found.submissions] == ["Ada", "lovelaceada"]
    assert found.ignored == []


def test_another_problem_set_that_is_no_notebook_has_a_row(tmp_path):
    found = rows(tmp_path, "Ada/ps1.ipynb", "Ada/ps2.pdf", "Bob/ps1.ipynb", "Bob/ps2.ipynb",
                 "Bob/ps3.pdf", "Bob/ps2.pdf")  # fmt: skip
    assert found.pop("Ada/ps2.pdf") == ("Ada", "no notebook (*.ipynb): only ps2.pdf")
    assert len(found) == 3 and not any(why for _, why in found.values())


@only_on_linux
def test_files_that_cannot_be_read_are_rows(tmp_path):
    lay(tmp_path / "in", "Ada/ps1.ipynb", "Eve/x.txt")
    for name in ("Bob", "Carol", "Dan"):
        (tmp_path / "in" / name).mkdir()
    (tmp_path / "in/Bob/ps1.ipynb").symlink_to(tmp_path / "in/Ada/ps1.ipynb")
    os.mkfifo(tmp_path / "in/Carol/ps1.ipynb")
    (tmp_path / "in/Dan/ps1.ipynb").write_bytes(b" " * (collect.LARGEST + 1))
    (tmp_path / "in/Fay").mkdir()
    cell = {"source": ["x"], "outputs": ["y" * collect.LARGEST]}  # outputs are not graded
    (tmp_path / "in/Fay/ps1.ipynb").write_text(json.dumps({"cells": [cell]}))
    reasons = {who: why for who, why in rows(tmp_path).values()}
    assert "links are not followed" in reasons["Bob"]
    assert "only ps1.ipynb" in reasons["Carol"] and "larger than 20 MB" in reasons["Dan"]
    assert "only x.txt" in reasons["Eve"] and reasons["Ada"] == reasons["Fay"] == ""


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["x/"], "holds no notebooks"),
        (["Ada/ps1.py"], "holds no notebooks"),
        (["all.zip"], "all.zip is still packed: unpack it first"),
    ],
)
def test_folders_that_hold_nothing_to_grade(tmp_path, paths, message):
    with pytest.raises(CourseError, match=message):
        collected(tmp_path, *paths)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(SystemExit, match="in is not a folder"):
        main(["grade", str(tmp_path / "in")])
    assert not list(tmp_path.iterdir())


def test_what_is_packed_beside_notebooks(tmp_path):
    found = collected(tmp_path, "Ada/ps1.ipynb", "all.zip", "Ada/work.zip", "Bob/ps1.ipynb")
    assert found.ignored == [Path("Ada/work.zip"), Path("all.zip")]
    notes = {one.student: one.notes for one in found.submissions}
    assert notes == {"Ada": ["still packed, not looked at: Ada/work.zip"], "Bob": []}

    for name, inside in (("Ada/work.zip", "w/ps1.ipynb"), ("all.zip", "Eve/final.ipynb")):
        with zipfile.ZipFile(tmp_path / "in" / name, "w") as archive:
            archive.writestr(inside, "")
    found = collect.collect(tmp_path / "in", SETS)
    assert [(one.student, one.place, one.notes) for one in found.submissions] == [
        ("", "all.zip", []), ("Ada", "Ada/ps1.ipynb", []), ("Bob", "Bob/ps1.ipynb", [])
    ]  # fmt: skip


# --- whose work it is


def in_class(pattern):
    """Paths of the class, and whose they are."""
    paths = [pattern.format(name, name=name, number=i) for i, name in enumerate(CLASS)]
    return dict(zip(paths, CLASS, strict=True))


@pytest.mark.parametrize(
    "around",
    ["submissions", "Section A", "late", "Lab 3", "Abgaben", "제출", "01분반", "ps1", "Physics",
     "Uni/2026/CS1", "submissions/CS1/ps1"],
)  # fmt: skip
@pytest.mark.parametrize("inner", ["ps1.ipynb", "work/ps1.ipynb", "ps1/final/ps1.ipynb"])
def test_folders_around_plain_folders(tmp_path, around, inner):
    expected = in_class(around + "/{}/" + inner)
    assert graded(tmp_path, *expected) == expected


@pytest.mark.parametrize("sections", [["Section A", "Section B"], ["Red", "Blue"]])
def test_sections(tmp_path, sections):
    expected = {f"{sections[0]}/{name}/ps1.ipynb": name for name in CLASS}
    expected |= {f"{sections[1]}/Eve/ps1.ipynb": "Eve"}
    assert graded(tmp_path, *expected, "readme.txt") == expected


@pytest.mark.parametrize("late", ["late", "Too late", "verspätet", "지각"])
def test_late_folders_beside_the_class(tmp_path, late):
    paths = [*in_class("{}/ps1.ipynb"), f"{late}/Eve/ps1.ipynb", f"{late}/kim_ps1.ipynb"]
    found = {one.student: one.late for one in collected(tmp_path, *paths).submissions}
    assert found == dict.fromkeys(CLASS, False) | {"Eve": True, "kim": True}


def test_a_stray_file_in_the_folder_of_the_class_stops_nobody(tmp_path):
    expected = in_class("CS1/{}/ps1.ipynb") | {"CS1/kim_ps1.ipynb": "kim", "Eve/ps1.ipynb": "Eve"}
    assert graded(tmp_path, "CS1/ps1.ipynb", *expected) == expected


@pytest.mark.parametrize(
    "expected",
    [
        in_class("{}/Problem Set 1/ps1.ipynb"),
        in_class("{}/my stuff/ps1.ipynb"),
        in_class("{}/ps1.ipynb") | {"Eve/my stuff/ps1.ipynb": "Eve"},
        {f"{name}/part {n}/ps{n}.ipynb": name for name in CLASS for n in (1, 2)},
        {f"submitted/{name}/ps{n}/ps{n}.ipynb": name for name in CLASS for n in (1, 2)},
        {f"assignment_1_export/submission_{n}/ps1.ipynb": f"submission_{n}" for n in (1, 2)},
        in_class("{number}-8 - {name} - Mar 1, 2026 905 AM/ps1.ipynb"),
        in_class("CS1/{} - ps1.ipynb"),
        in_class("CS1/{name}_8{number}_assignsubmission_file_ps1.ipynb"),
        in_class("CS1/PS_{}_attempt_2026-03-01-12-00-00_ps1.ipynb"),
        in_class("CS1/{}_471{number}_99_ps1.ipynb") | {"CS1/Eve/ps1.ipynb": "Eve"},
        in_class("CS1/{name}_8{number}_assignsubmission_file_/ps1.ipynb"),
        {ADAS: "lovelaceada", "raybob_4712_98_work/work/ps1.ipynb": "raybob"},
        in_class("Rot/{}_471{number}_99_ps1.ipynb") | {"Blau/eve_4999_9_ps1.ipynb": "eve"},
    ],
)
def test_other_layouts(tmp_path, expected):
    assert graded(tmp_path, *expected, "index.html") == expected


@pytest.mark.parametrize(
    "name",
    [
        ADAS,
        "Ada Lovelace_812_assignsubmission_file_ps1.ipynb",
        "PS_Ada Lovelace_attempt_2026-03-01-12-00-00_ps1.ipynb",
        "Ada Lovelace_ps1.ipynb",
        f"my stuff/{ADAS}",
    ],
)
@pytest.mark.parametrize("roster", [None, "id,name\n1,Ada Lovelace\n2,Eve\n"])
def test_a_file_name_does_not_hand_work_to_another(tmp_path, name, roster):
    expected = in_class("{}/ps1.ipynb") | {f"Eve/{name}": "Eve"}
    found = collected(tmp_path, *expected, roster=roster).submissions
    notes = {one.student: one.notes for one in found}
    assert [note for note in notes["Eve"] if "the name of the file says" in note]
    assert graded(tmp_path, *expected, roster=roster) == expected


@pytest.mark.parametrize(
    "rest",
    ["Ada Lovelace_812_assignsubmission_file_ps1.ipynb", "anon_a1_99_ps1.ipynb",
     "PS_Ada Lovelace_attempt_2026-03-01-12-00-00_ps1.ipynb", "Ada Lovelace_ps1.ipynb", ADAS],
)
@pytest.mark.parametrize("prefix", ["raybob_4712_98_", "Bob Ray_813_assignsubmission_file_",
                                    "PS_Bob Ray_attempt_2026-03-02-12-00-00_", "anon_b2_98_"])
@pytest.mark.parametrize("roster", [None, "id,name\n1,Ada Lovelace\n2,Bob Ray\n"])
def test_what_follows_a_platforms_prefix_names_nobody(tmp_path, prefix, rest, roster):
    found = collected(tmp_path, prefix + rest, roster=roster).submissions
    (one,) = [one for one in found if one.path]
    assert one.student in ("raybob", "Bob Ray", "anon_b2")
    assert one.person is None or one.person.name == "Bob Ray"


@pytest.mark.parametrize(
    "paths",
    [
        [f"Bob/{ADAS}"],
        ["Eve/Ada Lovelace_812_assignsubmission_file_/ps1.ipynb"],
        ["Eve/lovelaceada_4711_99_work/ps1.ipynb"],
        ["CS1/Ada/ps1.ipynb"],
        ["Ada/a/ps1.ipynb", "Bob/b/ps1.ipynb"],
        [f"Eve/{name}/ps1.ipynb" for name in ("uno", "dos")],
    ],
)
def test_a_doubt_is_said_and_given_to_nobody(tmp_path, paths):
    others = in_class("{}/ps1.ipynb") if paths[0].startswith("Eve") else {}
    found = rows(tmp_path, *paths, *others)
    for path in paths:
        assert found[path][0] == "" and found[path][1].startswith("cannot tell whether '")
    assert {path: who for path, (who, why) in found.items() if not why} == others


def test_copies_that_are_equal_are_one(tmp_path):
    lay(tmp_path, "ada/ps1.ipynb", "ada/ps2.ipynb", "ada/work.ipynb", "ada/notes.txt")
    (tmp_path / "ada/ps1 (1).ipynb").write_text((tmp_path / "ada/ps1.ipynb").read_text())
    found = collect.collect(tmp_path, SETS)
    assert [(s.name, bool(s.problem)) for s in found.submissions] == [
        ("?", True), ("ps1", False), ("ps2", False)
    ]  # fmt: skip
    assert found.ignored == [Path("ada/notes.txt")]


def test_the_contents_say_which_problem_set_it_is(tmp_path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada/ps1.ipynb").write_text('{"metadata": {"nbgrader": {"grade_id": "ps3-x"}}}')
    assert [one.name for one in collect.collect(tmp_path, SETS).submissions] == ["ps3"]


# --- attempts, and lateness


CANVAS = [ADAS, "lovelaceada_LATE_4711_120_ps1-1.ipynb", "lovelaceada_LATE_4711_130_ps1-2.ipynb"]
BLACKBOARD = [f"PS_ada_attempt_2026-03-0{day}-12-00-00_ps1.ipynb" for day in (2, 3, 4)]
BRIGHTSPACE = [f"1-2 - Ada - Mar {date}, 2026 1205 {half}/ps1.ipynb"
               for date, half in ((2, "AM"), (2, "PM"), (10, "AM"))]  # fmt: skip


@pytest.mark.parametrize(
    ("paths", "late", "attempt"),
    [
        (CANVAS, True, "resubmission 2"),
        ([f"lovelaceada/{path}" for path in CANVAS], True, "resubmission 2"),
        (["anon_a1_99_ps1.ipynb", "anon_a1_LATE_120_ps1-1.ipynb"], True, "resubmission 1"),
        (BLACKBOARD, False, "2026-03-04 12:00:00"),
        (BRIGHTSPACE, False, "Mar 10, 2026 1205 AM"),
    ],
)
def test_the_latest_attempt(tmp_path, paths, late, attempt):
    one = collected(tmp_path, *paths, latest=True).submissions[0]
    assert one.path == tmp_path / "in" / paths[-1] and not one.problem
    assert (one.late, one.attempt) == (late, attempt)
    assert one.notes == [f"the latest of {len(paths)} attempts, without " + ", ".join(paths[:-1])]
    (one,) = collect.collect(tmp_path / "in", SETS).submissions
    assert one.problem.startswith(f"{len(paths)} different files: keep one of ")
    assert one.problem.endswith(", or take the latest (--latest)")


@pytest.mark.parametrize(
    "paths",
    [
        ["Ada/ps1.ipynb", "Ada/ps1 (1).ipynb"],
        ["Ada/ps1.ipynb", "late/Ada/ps1.ipynb"],
        ["Ada/ps1.ipynb", "Bob/ps1.ipynb", f"Ada/{ADAS}"],
        ["Ada/ps1.ipynb", f"Bob/{ADAS}", "Bob/x_4712_120_ps1.ipynb"],
        [BLACKBOARD[0], BLACKBOARD[0].replace("ps1", "ps1 (1)")],
    ],
)
def test_no_attempt_is_the_latest_where_names_do_not_tell(tmp_path, paths):
    problems = [one.problem for one in collected(tmp_path, *paths, latest=True).submissions]
    assert any("their names do not say which is the latest" in problem for problem in problems)


def test_a_later_attempt_without_a_notebook_is_noted(tmp_path):
    (one,) = collected(tmp_path, BLACKBOARD[0], BLACKBOARD[1].replace("ipynb", "pdf")).submissions
    assert one.notes == [f"a later attempt has no notebook: {BLACKBOARD[1][:-5]}pdf"]


# --- the roster


ROSTER = """id,name,email
0812,"Lovelace, Ada",alove@x.org
20231234,김민수,
77,Bob Ray,
78,Kim Lee,
79,Kim Lee,
5,Zoë Müller,
"""


@pytest.mark.parametrize(
    "path",
    ["Ada Lovelace/ps1.ipynb", "lovelace  ADA/ps1.ipynb", "812/ps1.ipynb", ADAS, "0812_ps1.ipynb",
     "Lovelace, Ada_7_assignsubmission_file_/ps1.ipynb", "x_0812_9_ps1.ipynb",
     "PS_alove_attempt_2026-03-01-12-00-00_ps1.ipynb", "Ada Lovelace_ps1_final.ipynb",
     "x/y/Ádà Lovelace/z/ps1.ipynb", "0812_Ada Lovelace/ps1.ipynb", "Ada Lovelace 0812/ps1.ipynb",
     "PS_1_alove_attempt_2026-03-01-12-00-00_ps1.ipynb", "Ada Lovelace(0812)/ps1.ipynb",
     "0812-Ada_ps1.ipynb"],
)  # fmt: skip
def test_who_on_the_roster_it_is(tmp_path, path):
    found = collected(tmp_path, path, roster=ROSTER)
    (one,) = [one for one in found.submissions if one.path]
    assert one.person.id == "0812" and not one.problem
    assert [(s.student, s.id, s.problem) for s in found.submissions if not s.path] == [
        ("Bob Ray", "77", "not handed in"), ("Kim Lee", "78", "not handed in"),
        ("Kim Lee", "79", "not handed in"), ("Zoë Müller", "5", "not handed in"),
        ("김민수", "20231234", "not handed in"),
    ]  # fmt: skip
    assert found.said == []


def test_the_missing_of_each_problem_set(tmp_path):
    found = rows(tmp_path, "Bob Ray/ps1.ipynb", "Bob Ray/ps2.ipynb", "Zoë Müller/ps1.py",
                 "ps1_20231234_김민수.ipynb", "Lovelace, Ada/ps2.ipynb",
                 roster=ROSTER.replace("78,Kim Lee,\n", ""))  # fmt: skip
    missing = {name for name, (_, why) in found.items() if why == "not handed in"}
    assert missing == {"Lovelace, Ada ps1", "Kim Lee ps1", "Kim Lee ps2", "Zoë Müller ps2",
                       "20231234_김민수 ps2"}  # fmt: skip
    assert found["Zoë Müller/ps1.py"][1].startswith("no notebook")


def test_nobody_misses_a_problem_set_that_one_handed_in_by_mistake(tmp_path):
    students = [f"Student {number}" for number in range(33)]
    roster = "id,name\n" + "".join(f"{n},{name}\n" for n, name in enumerate(students))
    paths = [f"{name}/ps4.ipynb" for name in students[:30]] + ["Student 30/ps3.ipynb"]
    found = collected(tmp_path, *paths, roster=roster).submissions
    missing = [(one.student, one.name) for one in found if not one.path]
    assert missing == [(f"Student {n}", "ps4") for n in (30, 31, 32)]
    assert [(one.student, one.notes) for one in found if one.notes] == [
        ("Student 30", ["ps3, the others handed in ps4"])
    ]
    lay(tmp_path / "in", "Student 1/ps3.ipynb", "Student 2/ps3.ipynb")  # 3 of 31 are no tenth
    assert len([one for one in collected(tmp_path, roster=roster).submissions
                if not one.path]) == 3  # fmt: skip
    lay(tmp_path / "in", "Student 3/ps3.ipynb")
    found = collected(tmp_path, roster=roster).submissions
    assert sum(one.name == "ps3" and not one.path for one in found) == 29
    assert not any(one.notes for one in found)


def test_the_problem_set_named_is_the_one_that_is_missing(tmp_path):
    paths = ["Ada Lovelace/ps4.ipynb", "Bob Ray/ps4.ipynb"]
    found = collected(tmp_path, *paths, roster=ROSTER, only="ps2").submissions
    assert {one.name for one in found if not one.path} == {"ps2"}


def test_nobody_on_the_roster_is_said(tmp_path):
    found = collected(tmp_path, "Eve/ps1.ipynb", "Mallory_9_assignsubmission_file_/ps1.ipynb",
                      "Bob Ray/ps1.ipynb", roster=ROSTER)  # fmt: skip
    assert found.said == ["Not on the roster: Eve", "Not on the roster: Mallory (9)"]
    assert {s.student: s.notes for s in found.submissions if s.notes} == {
        "Eve": ["not on the roster"], "Mallory": ["not on the roster"]
    }  # fmt: skip


def test_two_people_of_one_name(tmp_path):
    """A folder of that name is neither's, and one with the number is that one's."""
    roster = ROSTER.replace("78,", "20237778,")
    found = collected(tmp_path, "Kim Lee/ps1.ipynb", roster=roster).submissions
    (mine, *missing) = [one for one in found if one.student == "Kim Lee"]
    assert mine.problem.startswith("2 people on the roster can be 'Kim Lee'")
    assert [one.problem for one in missing] == ["not handed in, unless it is Kim Lee/ps1.ipynb"] * 2
    (tmp_path / "in" / "Kim Lee").rename(tmp_path / "in" / "Kim Lee_20237778")
    found = collected(tmp_path, roster=roster).submissions
    mine, missing = [one for one in found if one.student.startswith("Kim Lee")][::-1]
    assert (mine.person.id, mine.problem) == ("20237778", "")
    assert (missing.id, missing.problem) == ("79", "not handed in")


def test_two_people_of_one_name_whom_a_platform_tells_apart(tmp_path):
    expected = {f"Kim Lee_{n}_assignsubmission_file_/ps1.ipynb": "Kim Lee" for n in (8, 9)}
    assert graded(tmp_path, *expected, roster=ROSTER) == expected


def test_one_person_twice(tmp_path):
    found = rows(tmp_path, "Bob Ray/ps1.ipynb", "raybob_4712_98_ps1.ipynb", roster=ROSTER)
    assert "2 different files: keep one of" in found["Bob Ray/ps1.ipynb"][1]
    assert "raybob_4712_98_ps1.ipynb" not in found


def test_folders_of_two_people_on_the_roster_are_a_doubt(tmp_path):
    found = rows(tmp_path, "Bob Ray/Ada Lovelace/ps1.ipynb", roster=ROSTER)
    assert found["Bob Ray/Ada Lovelace/ps1.ipynb"][1].startswith("cannot tell whether 'Bob Ray' or")
    assert found["Bob Ray ps1"][1].startswith("not handed in, unless it is Bob Ray/Ada Lovelace")


def test_the_number_of_one_with_the_name_of_another(tmp_path):
    found = rows(tmp_path, "20231234_Ada Lovelace/ps1.ipynb", roster=ROSTER)
    assert "2 people on the roster can be" in found["20231234_Ada Lovelace/ps1.ipynb"][1]


def test_the_words_of_a_name_in_another_order_are_another_person(tmp_path):
    roster = "id,name\n1,Min Lee\n2,\"Min, Lee\"\n3,Lee Kim Ann\n"
    found = collected(tmp_path, "Lee Min/ps1.ipynb", "Ann Lee Kim/ps1.ipynb", roster=roster)
    assert {one.student: one.person.id for one in found.submissions if one.path} == {
        "Lee Min": "2", "Ann Lee Kim": "3"
    }  # fmt: skip


def test_who_is_not_on_the_roster_stands_beside_those_who_are(tmp_path):
    paths = in_class("CS1/{}/ps1.ipynb")
    assert graded(tmp_path, *paths, roster="id,name\n1,Ada Lovelace\n2,Carol Poe\n") == paths


def test_names_that_mean_no_student_are_students_on_the_roster(tmp_path):
    expected = {"Late/ps1.ipynb": "Late", "Class/ps1.ipynb": "Class"}
    assert graded(tmp_path, *expected, roster="id,name\n1,Late\n2,Class\n") == expected


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_how_a_roster_may_be_written(tmp_path, delimiter, encoding, form):
    if (encoding, form) == ("cp949", "NFD"):
        return  # it has no such letters
    text = io.StringIO()
    table = [["No", " Name", "ID "], ["1", "김민수", "20231234"], ["2", "이, 영희", "20235678"]]
    csv.writer(text, delimiter=delimiter).writerows(table)
    path = tmp_path / "students.csv"
    path.write_bytes(unicodedata.normalize(form, text.getvalue()).encode(encoding))
    assert [(person.id, person.name) for person in roster.read_roster(path)] == [
        ("20231234", "김민수"), ("20235678", "이, 영희")
    ]  # fmt: skip
    name = unicodedata.normalize("NFD", "김 민수")
    lay(tmp_path / "in", f"{name}/ps1.ipynb", "영희 이/ps1.ipynb")
    found = collect.collect(tmp_path / "in", SETS, roster=path).submissions
    assert [one.person.id for one in found if one.path] == ["20231234", "20235678"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "cannot be read"),
        (b"", "must name the columns id and name .*, got nothing"),
        (b"id,name\n", "lists nobody"),
        (b"name,mail\nAda,x\n", "must name the columns id and name .*, got name, mail"),
        (b"id,name\n1,Ada\n01,Bob\n", "the id '1' stands there for two people"),
        (b"id,name\n1,Zo\xeb\n", "save it as CSV in UTF-8"),
        (b"PK\x03\x04\xff\xff\x00", "save it as CSV in UTF-8|must name the columns"),
    ],
)
def test_a_roster_that_cannot_be_read_stops_all_before_anything_is_written(tmp_path, data, message):
    lay(tmp_path / "in", "Ada/ps1.ipynb")
    roster = tmp_path / "students.csv"
    if data is not None:
        roster.write_bytes(data)
    with pytest.raises(SystemExit, match=f"--roster .*students.csv.*({message})"):
        main(["grade", str(tmp_path / "in"), "--roster", str(roster)])
    assert not (tmp_path / "in-grades").exists()


@pytest.mark.parametrize("lost", ["?", "\ufffd"])
def test_names_on_the_roster_that_lost_letters_are_said(tmp_path, lost):
    names = ["Jürgen Müller", "Zoë Ray", "김민수"]
    for some, said in ((names, "2 names in students.csv have"), (names[1:], "1 name in students")):
        rows = [name.replace("ü", lost).replace("ë", lost) for name in some]
        roster = "id,name\n" + "".join(f"{n},{name}\n" for n, name in enumerate(rows))
        (told,) = collected(tmp_path, "김민수/ps1.ipynb", roster=roster).said
        assert told.startswith(said) and told.endswith("lost letters: save it as CSV UTF-8")
    assert not collected(tmp_path, roster="id,name\n1,김민수\n2,Zoë Ray\n").said


def test_a_roster_among_the_submissions_is_none(tmp_path):
    lay(tmp_path, "Ada/ps1.ipynb")
    (tmp_path / "students.csv").write_text("id,name\n1,Ada\n")
    found = collect.collect(tmp_path, SETS, roster=tmp_path / "students.csv")
    assert found.ignored == [] and len(found.submissions) == 1


def test_a_roster_changes_no_key(tmp_path):
    """Points that were given by hand, and what was graded already, go by the key."""
    paths = ["Ada Lovelace/ps1.ipynb", "raybob_4712_98_ps1.ipynb", "김민수_ps1.ipynb"]
    keys = [[one.key for one in collected(tmp_path, *paths, roster=roster).submissions if one.path]
            for roster in (None, ROSTER)]  # fmt: skip
    assert keys[0] == keys[1] and len(keys[0]) == 3


def test_what_was_graded_before_a_doubt_arose_is_not_taken(tmp_path):
    (one,) = collected(tmp_path, "Kim Lee/ps1.ipynb").submissions
    kept = Kept(tmp_path / "outcomes", {}, True)
    kept.save(one, {"status": "graded"})
    assert kept.load(one) == {"status": "graded"}
    one.problem = "2 people on the roster can be 'Kim Lee'"
    assert kept.load(one) is None
