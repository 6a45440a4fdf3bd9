"""What happens to the cells of a submission before and after they run."""

import builtins
import contextlib
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
import zmq
from handed_in import grade_id, put, released, solved

from classroom import kernel, sandbox, worker
from classroom.course import COURSE, released_cells
from classroom.files import text_of
from classroom.restore import imports_of, read_notebook, restore


def submission(course_copy, change):
    """The student version of ps1 after `change`, as the grader reads it, and its known cells."""
    notebook = released(course_copy, "ps1")
    change({grade_id(cell): cell for cell in notebook.cells})
    return read_notebook(nbformat.writes(notebook)), released_cells(course_copy, "ps1")


def test_imports_written_into_a_cell_that_is_put_back_stay(course_copy):

    def change(by_id):
        by_id["ps1-setup"].source += "\nimport numpy as np\nfrom math import pi, cos as c\nx = 1\n"

    notebook, cells = submission(course_copy, change)
    notes, _ = restore(notebook, cells)
    assert notes == ["changed cells put back: ps1-setup"]
    setup = next(i for i, cell in enumerate(notebook.cells)
                 if cell.metadata.get("nbgrader", {}).get("grade_id") == "ps1-setup")  # fmt: skip
    before = notebook.cells[setup - 1]
    assert "import numpy as np\nfrom math import pi, cos as c" in before.source
    assert "x = 1" not in before.source and "nbgrader" not in before.metadata


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ("import (", ""),
        ("", ""),
        ("%matplotlib inline\n!pip install x\nimport y", "import y"),
        ("%%time\nif True:\n    %load_ext z\nfrom a import b as c", "from a import b as c"),
    ],
)
def test_the_imports_of_a_cell(source, imports):
    assert imports_of(source) == imports


def test_a_changed_check_is_told_and_its_imports_stay(course_copy):
    def change(by_id):
        by_id["ps1-step-check"].source = "import os\nassert True"

    notebook, cells = submission(course_copy, change)
    notes, _ = restore(notebook, cells)
    assert notes == ["changed cells put back: ps1-step-check"]
    check = next(i for i, cell in enumerate(notebook.cells) if grade_id(cell) == "ps1-step-check")
    assert "with trying(" in notebook.cells[check].source
    assert notebook.cells[check - 1].source == "import os"


def test_of_copies_the_last_that_is_written_counts(course_copy):
    """Jupyter copies what marks a cell, too; a copy of the stub must not hide the answer."""
    notebook = released(course_copy, "ps1")
    answer = next(cell for cell in notebook.cells if grade_id(cell) == "ps1-step")
    stub = nbformat.from_dict(answer)
    answer.source = "def step_lr(): first"
    better = nbformat.from_dict(answer)
    better.source = "def step_lr(): second"
    notebook.cells += [better, stub]
    for cell in (better, stub):
        cell.id = f"copy-{id(cell)}"
    restored = read_notebook(nbformat.writes(notebook))
    restore(restored, released_cells(course_copy, "ps1"))
    found = [cell.source for cell in restored.cells if grade_id(cell) == "ps1-step"]
    assert found == ["def step_lr(): second"]
    assert stub.source not in [cell.source for cell in restored.cells]


def test_a_strange_mark_of_a_cell_is_none(course_copy):
    notebook = released(course_copy, "ps1")
    notebook.cells[3].metadata.nbgrader["grade_id"] = ["x"]
    notes, _ = restore(read_notebook(nbformat.writes(notebook)), released_cells(course_copy, "ps1"))
    assert notes == ["lost metadata given back: ps1-step"]


def test_an_untouched_notebook_has_no_notes(course_copy):
    assert restore(*submission(course_copy, lambda by_id: None)) == ([], [])


def test_what_ran_out_of_time_or_could_not_import_is_named():
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell() for _ in range(3)]
    notebook.cells[1].metadata["nbgrader"] = {"grade_id": "ps1-step"}
    errors = {
        1: ("ModuleNotFoundError", "No module named 'jax'"),
        2: (kernel.OUT_OF_TIME, ""),
        3: ("ZeroDivisionError", "division by zero"),
    }
    assert worker.told_by(notebook, errors, ["cell 9"]) == [
        "out of time: ps1-step",
        "not run, out of time: cell 9",
        "could not import: cell 1 (No module named 'jax')",
    ]


def points(outcome):
    return sum(question["points"] for question in outcome["questions"])


def test_exploring_takes_no_time_from_what_counts(course_copy, tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "EXPLORING", 4)
    notebook = solved(course_copy, "ps1")
    slow = [nbformat.v4.new_code_cell(f"import time\ntime.sleep({n})") for n in (2, 5, 0)]
    notebook.cells[3:3] = slow
    put(tmp_path, "mine.ipynb", notebook)
    outcome = worker.grade(COURSE, course_copy, "ps1", tmp_path / "mine.ipynb")
    assert outcome["reason"] == ""
    assert points(outcome) == 12
    assert outcome["notes"] == ["out of time: cell 5", "not run, out of time: cell 6"]


def test_what_is_written_elsewhere_counts(course_copy, tmp_path):
    """A text below the cell for it, imports below one that only Colab has, code that is broken."""
    notebook = released(course_copy, "ps4")
    text = "I measured the loss of five peaks, and took the one with the lowest, 1.2."
    notebook.cells.append(nbformat.v4.new_markdown_cell(text))
    colab = "from google.colab import drive\ndrive.mount('/content')\nimport numpy as np"
    notebook.cells.insert(2, nbformat.v4.new_code_cell(f"{colab}\ndef half(x): return x / 2"))
    for cell in notebook.cells:
        if grade_id(cell) == "ps4-toy-rates":
            peak = "np.cos(np.pi * half(t) / steps) ** 2"
            cell.source = f"def toy_rates(steps):\n    return [1.2 * {peak} for t in range(steps)]"
        if grade_id(cell) == "ps4-digits-rates":
            cell.source = "def digits_rates(steps:\n    return [0.1] * steps"
    put(tmp_path, "mine.ipynb", notebook)
    outcome = worker.grade(COURSE, course_copy, "ps4", tmp_path / "mine.ipynb")
    by_id = {question["id"]: question for question in outcome["questions"]}
    assert by_id["ps4-toy-better"]["points"] == 2
    assert by_id["ps4-explain"]["written"] == f"{worker.ELSEWHERE}\n\n{text}"
    assert by_id["ps4-explain"]["points"] is None
    for name in ("ps4-digits-check", "ps4-digits-hidden"):
        assert by_id[name]["message"].startswith("the cell of the answer ends with SyntaxError: ")
    assert "could not import: cell 3" in outcome["notes"][0]


@pytest.mark.parametrize("last", ["exit()", "import os\nos._exit(0)"])
def test_an_added_cell_that_ends_all_is_left_out(course_copy, tmp_path, last):
    notebook = solved(course_copy, "ps1")
    notebook.cells.append(nbformat.v4.new_code_cell(last))
    put(tmp_path, "mine.ipynb", notebook)
    outcome = worker.grade(COURSE, course_copy, "ps1", tmp_path / "mine.ipynb")
    assert outcome["reason"] == "" and points(outcome) == 12
    place = len(notebook.cells)
    told = f"cell left out: its Python process ended by itself or was ended (cell {place})"
    assert outcome["notes"] == ([] if last == "exit()" else [told])


FIRST = "        self.warmup_steps = warmup_steps\n"
SUPER = "        super().__init__(optimizer, last_epoch)\n"


def test_a_class_that_cannot_be_made_costs_its_own_exercise_only(course_copy, tmp_path):
    notebook = solved(course_copy, "ps3")
    answer = next(cell for cell in notebook.cells if grade_id(cell) == "ps3-class")
    assert FIRST + SUPER in answer.source
    answer.source = answer.source.replace(FIRST + SUPER, SUPER + FIRST)
    put(tmp_path, "mine.ipynb", notebook)
    outcome = worker.grade(COURSE, course_copy, "ps3", tmp_path / "mine.ipynb")
    assert points(outcome) == 6
    said = {question["id"]: question["message"] for question in outcome["questions"]}
    assert "no attribute 'warmup_steps'" in said["ps3-curve-check"]
    assert said["ps3-cooldown-check"] == (
        "right, with a correct answer to ps3-class in place of yours"
    )


def test_a_name_that_a_later_cell_takes_costs_nothing(course_copy, tmp_path):
    """The checks said "right" when the student ran it: they stood above that cell."""
    notebook = solved(course_copy, "ps1")
    for cell in notebook.cells:
        if grade_id(cell) == "ps1-step":
            cell.source = "def times(a, b):\n    return a * b\n" + cell.source.replace(
                "base_lr * gamma ** (t // step_size)", "times(base_lr, gamma ** (t // step_size))"
            )
            assert "return times(" in cell.source
    later = "%matplotlib inline\ntry: 1 / 0\nexcept Exception as times: pass"
    notebook.cells.append(nbformat.v4.new_code_cell(later))
    put(tmp_path, "mine.ipynb", notebook)
    outcome = worker.grade(COURSE, course_copy, "ps1", tmp_path / "mine.ipynb")
    assert points(outcome) == 12


LOOK = """
import json, os, signal, subprocess
import numpy, psutil
names = sorted(name for name in os.listdir(".") if not name.startswith("lr-grade-"))
seen = ["left" in globals(), sum([1, 2]), names, numpy.random.rand()]
print(json.dumps([*seen, psutil.Process(os.getppid()).create_time()]))
left = True
"""
LAST = {  # what a notebook does at its end: whether the next one runs in the same sandbox
    "import builtins; builtins.sum = str": True,
    "open('.ipython/profile_default/startup/mine.py', 'w').close()": False,
    "sleeping = subprocess.Popen(['sleep', '600'])": False,
    "os.kill(os.getppid(), signal.SIGKILL)": False,
    "": True,
}


def has_ended(process, within=5):
    """Whether a process that was killed is gone, but for what a parent has to collect."""
    until = time.monotonic() + within
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
    return True


def test_a_kernel_finds_nothing_of_the_one_before():
    """It is a fork in the same sandbox if nothing was left there, else all begins anew."""
    said = []
    with kernel.Kernels(in_sandbox=True, seconds=200, cell_seconds=20) as kernels:
        for last in LAST:
            notebook = nbformat.v4.new_notebook()
            notebook.cells = [nbformat.v4.new_code_cell(source) for source in (LOOK, last)]
            with contextlib.suppress(kernel.Stopped), kernels.running(notebook) as run:
                run.run_notebook()
                assert run.kc.context.getsockopt(zmq.MAXMSGSIZE) == 2**28
            said.append(json.loads(notebook.cells[0].outputs[0].text))
        below = kernels.below()
    left, sums, names, drawn, sandboxes = zip(*said, strict=True)
    assert set(left) == {False} and set(sums) == {3}
    assert all(one == names[0] for one in names) and len(set(drawn)) == len(LAST)
    same = [one == other for one, other in itertools.pairwise(sandboxes)]
    assert same == [*LAST.values()][:-1]
    assert below and all(map(has_ended, below))


def test_a_fork_that_does_not_answer_is_no_loss(monkeypatch):
    monkeypatch.setattr(kernel, "FORKING", 2)
    breaks = """
import os, resource
resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))
print(2)
"""
    with kernel.Kernels(in_sandbox=True, seconds=200, cell_seconds=20) as kernels:
        for source in (breaks, "print(1 + 1)"):
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
            with kernels.running(notebook) as run:
                run.run_notebook()
            assert notebook.cells[0].outputs[0].get("text") == "2\n", notebook.cells[0].outputs


def test_without_a_sandbox_what_a_notebook_started_ends_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    starts = "import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(starts)])
    with kernel.Kernels(in_sandbox=False, seconds=200, cell_seconds=20) as kernels:
        with kernels.running(notebook) as run:
            run.run_notebook()
        sleeping = psutil.Process(int(notebook.cells[0].outputs[0].text))
        assert not has_ended(sleeping, within=0)
    assert has_ended(sleeping)


@pytest.mark.parametrize(
    ("got", "plain"),
    [
        ("(t / 2 for t in range(3))", [0.0, 0.5, 1.0]),
        ("torch.tensor([[0.5], [2.0]])", [0.5, 2.0]),
        ("[torch.tensor(0.5), np.float32(2), Fraction(1, 4)]", [0.5, 2.0, 0.25]),
        ("(np.arange(2), 'text', None, True)", [[0, 1], "text", None, True]),
    ],
)
def test_what_leaves_the_sandbox_is_plain(got, plain, monkeypatch):
    sent = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: sent.append(data))
    names = {"__builtins__": builtins, "float": str, "setup_was": 0}  # a student's own float
    source = f"import torch, numpy as np\nfrom fractions import Fraction\ngot = {got}"
    given = {"source": source, "setup": "setup_was = 1", "kind": kernel.KIND, "key": "k"}
    exec(kernel.AMONG.format(kernel.PROBE, given), names)
    assert json.loads(sent[0][kernel.KIND]) == plain
    assert names["setup_was"] == 0 and "got" not in names


def test_the_history_of_other_notebooks_is_not_in_the_sandbox(monkeypatch):
    """Whoever has run notebooks from this folder has left what they typed in .venv."""
    history = Path(sys.prefix, "ipython-of-a-test", "history.sqlite")
    history.parent.mkdir(exist_ok=True)
    history.write_text("secret")
    try:
        look = f"import os; print(os.listdir({str(history.parent)!r}))"
        seen = []
        for folder in ("", str(history.parent)):
            monkeypatch.setenv("IPYTHONDIR", folder)
            command = sandbox.wrap([sys.executable, "-c", look])
            seen.append(subprocess.run(command, capture_output=True, text=True).stdout.strip())
        assert seen == ["['history.sqlite']", "[]"]
    finally:
        history.unlink()
        history.parent.rmdir()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_notebook_is_read_in_any_of_these(encoding):
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("s = 'é'")]))
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    read = read_notebook(text_of((mark + text).encode(encoding)))
    assert read.cells[0].source == "s = 'é'"
