"""The form of the problem sets, and of the student versions that `make assignments` writes."""

import ast
import contextlib
import json
import re
import subprocess
import sys

import nbformat
import pytest
from conftest import ROOT

from classroom import checks, course
from classroom.course import COURSE, CourseError, problem_sets

SETS = problem_sets()


def source(name):
    return COURSE / "source" / name / f"{name}.ipynb"


def cells(path):
    return nbformat.read(path, as_version=4).cells


def data(cell):
    return cell.metadata.get("nbgrader", {})


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    """The folder that the command writes."""
    folder = tmp_path_factory.mktemp("release") / "assignments"
    command = [sys.executable, "-m", "classroom", "release", "--to", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(folder / f"{name}.ipynb") for name in SETS]
    return folder


@pytest.mark.parametrize("name", SETS)
def test_a_source_is_clean(name):
    text = source(name).read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert text == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    nbformat.validate(nbformat.from_dict(notebook))
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    for cell in notebook["cells"]:
        assert re.fullmatch(rf"{name}-\d\d", cell["id"])  # by it, a stripped notebook is known
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None
        assert set(cell["metadata"]) <= {"nbgrader", "deletable", "editable"}


def helpers(text):
    """What every set-up cell must have, to a letter: `trying` and `check`."""
    found = {node.name: ast.get_source_segment(text, node) for node in ast.parse(text).body
             if isinstance(node, ast.FunctionDef)}  # fmt: skip
    return found["trying"], found["check"]


CHAPTER = re.compile(r"\[[^\]]+\]\(https://colab[^)]*/(chapters/\w+\.ipynb)\)")


@pytest.mark.parametrize("name", SETS)
def test_each_exercise_names_its_chapters(name):
    texts = [cell.source for cell in cells(source(name)) if cell.source.startswith("## Exercise")]
    assert len(texts) >= 3
    for text in texts:
        linked = CHAPTER.findall(text)
        assert linked or text.startswith("## Exercise 3: explain")
        assert all((ROOT / path).exists() for path in linked)


@pytest.mark.parametrize("name", SETS)
def test_the_parts_of_a_problem_set(name):
    known = [cell for cell in cells(source(name)) if data(cell)]
    first, *rest = known
    assert data(first)["locked"] and not data(first)["grade"]
    assert helpers(first.source) == helpers(cells(source(SETS[0]))[1].source)
    ids = [data(cell)["grade_id"] for cell in known]
    assert len(set(ids)) == len(ids) and all(one.startswith(f"{name}-") for one in ids)
    for cell in rest:
        if data(cell)["solution"]:
            assert "### BEGIN SOLUTION" in cell.source and "### END SOLUTION" in cell.source
        if data(cell)["grade"] and not data(cell)["solution"]:
            assert data(cell)["locked"] and data(cell)["points"] > 0
    hidden = [cell for cell in rest if "### BEGIN HIDDEN TESTS" in cell.source]
    assert len(hidden) >= 2
    assert "lrcore" not in "".join(cell.source for cell in cells(source(name)))


@pytest.mark.parametrize("name", SETS)
def test_what_students_get(handed_out, name):
    text = (handed_out / f"{name}.ipynb").read_text(encoding="utf-8")
    committed = COURSE / "handouts" / f"{name}.ipynb"
    assert committed.read_text(encoding="utf-8") == text, "run make assignments"
    for mark in ("BEGIN SOLUTION", "HIDDEN TESTS", "END "):
        assert mark not in text
    nbformat.validate(nbformat.reads(text, as_version=4))
    mine, theirs = cells(source(name)), cells(handed_out / f"{name}.ipynb")
    assert [cell.id for cell in mine] == [cell.id for cell in theirs]
    for before, after in zip(mine, theirs, strict=True):
        if data(after).get("solution"):
            assert "YOUR CODE HERE" in after.source or "YOUR ANSWER HERE" in after.source
            solution = re.findall("BEGIN SOLUTION(.*?)### END", before.source, re.DOTALL)
            assert solution
            for line in "".join(solution).split("\n"):
                assert len(line.strip()) < 12 or line not in after.source


def run(notebook_cells, monkeypatch):
    """Run cells in one namespace, as nbgrader does; return it and what each check raised."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    names = {"__name__": "__main__"}
    raised = {}
    for cell in notebook_cells:
        if cell.cell_type != "code":
            continue
        try:
            exec(compile(cell.source, data(cell).get("grade_id", "cell"), "exec"), names)
        except Exception as error:
            raised[data(cell)["grade_id"]] = error
    return names, raised


@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
@pytest.mark.parametrize("name", SETS)
def test_run_all_goes_through_and_says_what_is_open(handed_out, name, monkeypatch, capsys):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    names = {"__name__": "__main__"}
    shown = 0
    for cell in cells(handed_out / f"{name}.ipynb"):
        if cell.cell_type == "code":
            exec(compile(cell.source, "cell", "exec"), names)
            said = capsys.readouterr().out
            if "with trying(" in cell.source:
                assert said.endswith(": open\n") and "\n" not in said[:-1]
                shown += 1
    assert shown >= 3


def test_a_wrong_answer_is_said_and_the_notebook_goes_on(handed_out, monkeypatch, capsys):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    names = {"__name__": "__main__"}
    exec(cells(handed_out / "ps1.ipynb")[1].source, names)
    said = []
    for answer in ("0.5", "t / 0", "base_lr * gamma ** (t // step_size)"):
        exec(f"def step_lr(t, base_lr, step_size, gamma):\n    return {answer}", names)
        exec(cells(handed_out / "ps1.ipynb")[4].source, names)
        said.append(capsys.readouterr().out)
    assert said[0] == "NOT RIGHT: step_lr: first difference at step 0: expected 0.8, got 0.5\n"
    assert "in step_lr" in said[1] and "ZeroDivisionError: division by zero" in said[1]
    assert said[1].endswith("NOT RIGHT: step_lr ends with the error above\n")
    assert said[2] == "step_lr: right, all 10 values agree\n"


@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
def test_the_broken_loops_are_broken(handed_out, monkeypatch):
    """What students are to mend in ps2 fails its visible checks, if they only rename it."""
    notebook = cells(handed_out / "ps2.ipynb")
    broken = {data(c)["grade_id"].removesuffix("-broken"): c.source for c in notebook
              if data(c).get("grade_id", "").endswith("-broken")}  # fmt: skip
    assert set(broken) == {"ps2-order", "ps2-tmax", "ps2-batch", "ps2-resume"}
    for cell in notebook:
        if data(cell).get("solution") and data(cell)["grade_id"] in broken:
            code = broken[data(cell)["grade_id"]]  # an example and its call
            last = re.findall(r"^def (\w+)", code, re.MULTILINE)[-1]
            cell.source = code + f"\n{last}_mended = {last}\n"
    _, raised = run(notebook, monkeypatch)
    for name in broken:
        assert isinstance(raised[f"{name}-check"], AssertionError)
        assert re.search(r"at step \d+: expected \S+, got \S+", str(raised[f"{name}-check"]))


@pytest.mark.parametrize(
    ("got", "says"),
    [
        ([1.0, 0.5], None),
        ([1.0, 0.4], "x: first difference at step 1: expected 0.5, got 0.4"),
        ([1.0], "x: expected 2 values, got 1"),
        ([1.0, 0.5, 0.1], "x: expected 2 values, got 3"),
        ([1.0, float("nan")], "x: first difference at step 1: expected 0.5, got nan"),
        ([None], "x: expected a list of numbers, got [None] (is `return` missing?)"),
        (None, "x: expected a list of numbers, got None (is `return` missing?)"),
        (["a"], "x: expected a list of numbers, got ['a']"),
    ],
)
@pytest.mark.parametrize("name", SETS)
def test_check_says_where_it_goes_wrong(name, got, says, monkeypatch):
    first = next(cell for cell in cells(source(name)) if data(cell))
    names, _ = run([first], monkeypatch)
    if says is None:
        names["check"]("x", got, [1.0, 0.5])
    else:
        with pytest.raises(AssertionError) as caught:
            names["check"]("x", got, [1.0, 0.5])
        assert str(caught.value) == says


@pytest.mark.parametrize("mine", ["thesis.txt", "ps1/ps1.ipynb", "ps1.pdf"])
def test_a_folder_with_other_things_is_left_alone(tmp_path, mine):
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("mine")
    with pytest.raises(CourseError, match="holds other things"):
        course.release(tmp_path)
    assert (tmp_path / mine).read_text() == "mine"


def test_a_set_that_fails_leaves_the_old_versions(tmp_path):
    """Nothing is written if one problem set is wrong, and nothing is left over."""
    broken = tmp_path / "course"
    (broken / "source" / "ps1").mkdir(parents=True)
    (broken / "nbgrader_config.py").write_text((COURSE / "nbgrader_config.py").read_text())
    text = source("ps1").read_text(encoding="utf-8").replace("### END SOLUTION", "### END", 1)
    (broken / "source" / "ps1" / "ps1.ipynb").write_text(text, encoding="utf-8")
    target = tmp_path / "out"
    target.mkdir()
    (target / "ps1.ipynb").write_text("old")
    with pytest.raises(CourseError, match="nbgrader failed on ps1"):
        course.release(target, course=broken)
    assert (target / "ps1.ipynb").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["course", "out"]


@pytest.fixture
def points(monkeypatch):
    """What the checks give if answers of a source are changed: {grade_id: points}.

    As plain nbgrader gives them, and as this package does: the two must agree.
    """

    def found(name, *edits):
        notebook = cells(source(name))
        answers = [cell for cell in notebook if data(cell).get("solution")]
        for old, new in edits:
            assert sum(old in cell.source for cell in answers) == 1, old
            for cell in answers:
                cell.source = cell.source.replace(old, new)
        names, raised = run(notebook, monkeypatch)
        result = {}
        for check in checks.teachers(COURSE, name).checks:
            right = False
            with contextlib.suppress(Exception):
                exec(check.first, names)
                right, _ = checks.judge(COURSE, name).compare(check, plain(names["got"]))
            assert right == (check.grade_id not in raised)
            result[check.grade_id] = check.points * right
        return result

    return found


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, str) else float(value)


FLOAT32 = {
    "ps1": [
        ("return base_lr * gamma **", "return torch.tensor(base_lr) * torch.tensor(gamma) **"),
        ("math.cos(math.pi * t / T_max)", "torch.cos(torch.tensor(math.pi * t / T_max))"),
        ("done = min(t, total_iters)", "done = torch.tensor(min(t, total_iters))"),
    ],
    "ps2": [("return [lr * gamma ** (epoch", "return [torch.tensor(lr) * gamma ** (epoch")],
    "ps3": [("math.sqrt(w / (t + 1))", "torch.sqrt(torch.tensor(w / (t + 1)))")],
    "ps4": [("return [0.5 * (1 - t / steps)", "return [torch.tensor(0.5 * (1 - t / steps))")],
}


@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
@pytest.mark.parametrize("name", SETS)
def test_the_seven_digits_of_float32_are_enough(name, points):
    right = points(name)
    assert 0 not in right.values() and points(name, *FLOAT32[name]) == right


FACTOR = "min((t + 1) / w, math.sqrt(w / (t + 1)))"
SLIPS = {
    "t for t + 1": (
        FACTOR,
        "min(t / w, math.sqrt(w / max(t, 1)))",
        {"ps3-curve-check", "ps3-curve-hidden"},
    ),
    "tensors for rates": ("[base_lr * factor for", "[torch.tensor(base_lr * factor) for", set()),
    "a cool-down that begins a step late": (
        "self.cool_from = self.last_epoch\n",
        "self.cool_from = self.last_epoch + 1\n",
        {"ps3-cooldown-check", "ps3-cooldown-hidden"},
    ),
    "a state that no file holds": (
        "        self.warmup_steps = warmup_steps\n",
        "        self.warmup_steps = warmup_steps\n        self.rule = lambda t: t\n",
        {"ps3-resume-check", "ps3-resume-hidden"},
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_one_slip_costs_its_own_points_only(slip, points):
    old, new, lost = SLIPS[slip]
    found = points("ps3", (old, new))
    assert {grade_id for grade_id in found if not found[grade_id]} == lost


def test_a_rate_that_never_changes_earns_no_group_and_no_resume(points):
    found = points("ps3", (FACTOR, "1.0"))
    lost = {"ps3-curve-check", "ps3-curve-hidden", "ps3-groups-check", "ps3-groups-hidden"}
    assert {grade_id for grade_id in found if not found[grade_id]} == lost | {"ps3-resume-check"}


@pytest.mark.parametrize("name", SETS)
def test_two_numbers_that_differ_never_print_alike(name, monkeypatch):
    names, _ = run([next(cell for cell in cells(source(name)) if data(cell))], monkeypatch)
    told = 0
    for wanted in (1.0, 1.00000499, 0.0018248, 9.99999, 0.0):
        for part in (1.0000101, 1.0000149, 0.99998, 1.001):
            got = wanted * part + (wanted == 0) * 2e-6
            try:
                names["check"]("x", [got, 1.0], [wanted, 1.0])
            except AssertionError as error:
                expected, given = re.search(r"expected (\S+), got (\S+)", str(error)).groups()
                assert expected != given
                told += 1
    assert told > 10


HOSTILE = [None, True, 0, 0.5, "0", "warmup_steps 0 -7", [], [[]], [[[]]], {}, [0.0] * 8]
HOSTILE += [[0.0] * 100, [float("nan")] * 300, [float("inf")] * 200, [1.0] * 200]
HOSTILE += [[[0.0] * 20] * 3, [[1.0], [1.0]]]
HOSTILE += [[None, None, None], ["", "", ""], [[], [], []], [[[], []], [[], []], [[], []]]]


@pytest.mark.parametrize("name", SETS)
def test_nothing_worthless_passes_a_check(name):
    judge = checks.judge(COURSE, name)
    for check in checks.teachers(COURSE, name).checks:
        for got in HOSTILE:
            right, said = judge.compare(check, got)
            assert not right and said, (check.grade_id, got)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("got = 1\ncheck('x', [got], [1])", "needs one line '# compare'"),
        ("x = 1\n# compare\ncheck('x', [x], [1])", "must set `got`"),
    ],
)
def test_a_check_without_its_parts_is_refused(text, says):
    with pytest.raises(CourseError, match=f"ps9-check: .*{says}"):
        checks.parts(text, "ps9-check")


def test_what_a_check_knows_comes_from_the_problem_set():
    """Values that the first part names may be read; `got`, and what has to be run, may not."""
    inside = "    a = [(1, 2.5)]\n    b = a\n    got = [3]\n    # compare\n    pass"
    first, second = checks.parts(f"with trying('x'):\n{inside}", "x")
    assert checks.plain_values(first) == {"a": [(1, 2.5)]}
    assert second == "# compare\npass"


@pytest.mark.parametrize("name", SETS)
def test_a_rubric_gives_all_points_of_its_answer(name):
    rubrics = checks.teachers(COURSE, name).rubrics
    most = {data(c)["grade_id"]: data(c)["points"] for c in cells(source(name))
            if data(c).get("solution") and data(c)["grade"]}  # fmt: skip
    assert {one: sum(points for points, _ in lines) for one, lines in rubrics.items()} == most
    assert all(len(text) > 20 for lines in rubrics.values() for _, text in lines)
