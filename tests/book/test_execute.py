"""tools/execute.py: stable outputs, and a failing notebook is left alone."""

import json

import execute
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PRINTS = """\
import sys
for word in ("one", "two", "three"):
    print(word)
    sys.stdout.flush()
"""
WIDGET = """\
class Both:
    def _repr_mimebundle_(self, include=None, exclude=None):
        import uuid
        view = {"version_major": 2, "version_minor": 0, "model_id": uuid.uuid4().hex}
        html = {"text/html": "<b>same</b>", "text/plain": "same"}
        return {"application/vnd.jupyter.widget-view+json": view, **html}

Both()
"""
SLIDER = "import ipywidgets\nipywidgets.IntSlider()"


def write(path, *sources):
    cells = [new_markdown_cell("# A title")]
    for source in sources:
        noise = {"tags": ["a-tag"], "execution": {"iopub.execute_input": "2020"}, "collapsed": True}
        cells.append(new_code_cell(source, metadata=noise))
    notebook = new_notebook(cells=cells, metadata={"widgets": {"state": 1}, "vscode": {"x": 1}})
    nbformat.write(notebook, path)
    return path


def outputs(path):
    return [cell.get("outputs") for cell in json.loads(path.read_text())["cells"][1:]]


def test_two_runs_store_the_same_text(tmp_path):
    paths = [write(tmp_path / f"{n}.ipynb", PRINTS, WIDGET, "print(6 * 7)") for n in "ab"]
    names = [str(path) for path in paths]
    execute.main(names)
    first = [path.read_bytes() for path in paths]
    execute.main(names)
    assert [path.read_bytes() for path in paths] == first
    assert first[0].endswith(b"}\n") and not first[0].endswith(b"\n\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb", "b.ipynb"]


def test_only_what_the_sources_decide_is_stored(tmp_path):
    path = write(tmp_path / "a.ipynb", PRINTS, WIDGET, SLIDER)
    execute.main([str(path)])
    stored = json.loads(path.read_text())
    assert stored["metadata"] == execute.NOTEBOOK_METADATA
    code = stored["cells"][1:]
    assert [cell["metadata"] for cell in code] == [{"tags": ["a-tag"]}] * 3
    assert [cell["execution_count"] for cell in code] == [1, 2, 3]
    prints, widget, slider = outputs(path)
    assert [(out["output_type"], "".join(out["text"])) for out in prints] == [
        ("stream", "one\ntwo\nthree\n")
    ]
    assert sorted(widget[0]["data"]) == ["text/html", "text/plain"]
    # without HTML the view stays: it is all there is
    assert execute.WIDGET_VIEW in slider[0]["data"]


def test_a_failing_notebook_is_named_and_left_alone(tmp_path, capsys):
    good = write(tmp_path / "good.ipynb", "print(1)")
    bad = write(tmp_path / "bad.ipynb", "print(1)", "raise KeyError('no such rate')")
    before = bad.read_bytes()
    with pytest.raises(SystemExit, match="1 of 2 notebooks failed: bad.ipynb"):
        execute.main([str(good), str(bad)])
    assert bad.read_bytes() == before
    assert outputs(good)[0][0]["text"] == ["1\n"]
    said = capsys.readouterr().out
    assert "bad.ipynb FAILED" in said and "KeyError: 'no such rate'" in said


def test_a_dead_kernel_is_a_failure_too(tmp_path):
    path = write(tmp_path / "dead.ipynb", "import os\nos._exit(1)")
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="dead.ipynb"):
        execute.main([str(path)])
    assert path.read_bytes() == before


def test_a_name_that_is_no_notebook_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="No such notebook: .*missing.ipynb"):
        execute.main([str(tmp_path / "missing.ipynb")])


def test_prints_to_different_streams_stay_apart():
    def stream(name, text):
        return nbformat.v4.new_output("stream", name=name, text=text)

    parts = [stream("stdout", "a"), stream("stdout", "b"), stream("stderr", "c")]
    merged = execute.merged_streams(parts)
    assert [(out.name, out.text) for out in merged] == [("stdout", "ab"), ("stderr", "c")]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        execute.write_whole(path, "new \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.ipynb"]
