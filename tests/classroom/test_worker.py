"""What happens to the cells of a submission before and after they run."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from classroom import course, sandbox, worker
from classroom.course import released_cells
from classroom.files import text_of


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    course.build(course.COURSE, ["ps1"], folder)
    return folder, released_cells(folder, "ps1")


def submission(folder, change):
    """The student version of ps1 after `change`, as the grader reads it."""
    notebook = nbformat.read(folder / "release" / "ps1" / "ps1.ipynb", as_version=4)
    change({cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells})
    return worker.read_notebook(nbformat.writes(notebook))


def test_imports_written_into_a_cell_that_is_put_back_stay(released):
    folder, cells = released

    def change(by_id):
        by_id["ps1-setup"].source += "\nimport numpy as np\nfrom math import pi, cos as c\nx = 1\n"

    notebook = submission(folder, change)
    notes, _ = worker.restore(notebook, cells)
    assert notes == ["changed cells put back: ps1-setup"]
    setup = next(i for i, cell in enumerate(notebook.cells)
                 if cell.metadata.get("nbgrader", {}).get("grade_id") == "ps1-setup")  # fmt: skip
    before = notebook.cells[setup - 1]
    assert "import numpy as np\nfrom math import pi, cos as c" in before.source
    assert "x = 1" not in before.source and "nbgrader" not in before.metadata


@pytest.mark.parametrize("source", ["import (", "%pip install x\nimport y", ""])
def test_a_broken_cell_has_no_imports(source):
    assert worker.imports_of(source) == ""


def test_a_changed_check_is_told_and_keeps_nothing(released):
    folder, cells = released
    notebook = submission(folder, lambda by_id: by_id["ps1-step-check"].update(source="import os"))
    notes, _ = worker.restore(notebook, cells)
    assert notes == ["changed cells put back: ps1-step-check"]
    assert not any(cell.source == "import os" and "nbgrader" not in cell.metadata
                   for cell in notebook.cells)  # fmt: skip


def test_an_untouched_notebook_has_no_notes(released):
    folder, cells = released
    assert worker.restore(submission(folder, lambda by_id: None), cells) == ([], [])


def test_what_ran_out_of_time_or_could_not_import_is_named():
    def failed(ename, evalue, **data):
        cell = nbformat.v4.new_code_cell(metadata={"nbgrader": data} if data else {})
        cell.outputs = [nbformat.v4.new_output("error", ename=ename, evalue=evalue)]
        return cell

    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        failed("ModuleNotFoundError", "No module named 'jax'"),
        failed("CellTimeoutError", "", grade_id="ps1-step"),
        failed("ZeroDivisionError", "division by zero"),
    ]
    assert worker.told_by(notebook, ["cell 9"]) == [
        "out of time: ps1-step",
        "not run, out of time: cell 9",
        "could not import: cell 1 (No module named 'jax')",
    ]


# nbgrader 0.9 adds to a session in a way that SQLAlchemy warns of
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_exploring_takes_no_time_from_what_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "EXPLORING", 4)
    course.build(course.COURSE, ["ps1"], tmp_path)
    notebook = nbformat.read(tmp_path / "release" / "ps1" / "ps1.ipynb", as_version=4)
    solution = nbformat.read(course.COURSE / "source" / "ps1" / "ps1.ipynb", as_version=4)
    for mine, right in zip(notebook.cells, solution.cells, strict=True):
        if mine.metadata.get("nbgrader", {}).get("solution"):
            mine.source = right.source
    slow = [nbformat.v4.new_code_cell(f"import time\ntime.sleep({n})") for n in (2, 5, 0)]
    notebook.cells[3:3] = slow
    path = tmp_path / "mine.ipynb"
    nbformat.write(notebook, path)
    outcome = worker.grade(course.COURSE, tmp_path, "ps1", path)
    assert outcome["reason"] == ""
    assert sum(question["points"] for question in outcome["questions"]) == 12
    assert outcome["notes"] == ["out of time: cell 5", "not run, out of time: cell 6"]


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
    read = worker.read_notebook(text_of((mark + text).encode(encoding)))
    assert read.cells[0].source == "s = 'é'"
