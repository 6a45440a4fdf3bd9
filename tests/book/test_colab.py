"""The book as Colab would run it: `make test-colab` runs this in .venv-colab.

That environment holds the versions of requirements-colab.txt, and no PScript, as Colab does. The
kernels take themselves for Colab's: google.colab is loaded in them, and pip only records what it
is asked for. Colab itself, its page and its front end of the widgets, is not in here.
"""

import importlib
import importlib.metadata
import json
import pkgutil
import queue
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import execute
import nbformat
import pytest
import repository
from conftest import ROOT
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from packaging.requirements import Requirement
from torch.optim.lr_scheduler import StepLR

import lrcore
from lrcore import explore
from lrcore.plotting import panels_png

CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
WAIT = 60  # seconds, for any answer of a kernel

# Runs in every kernel before its first cell.
LIKE_COLAB = """
import sys, types
sys.modules["google"] = types.ModuleType("google")
sys.modules["google.colab"] = sys.modules["google"].colab = types.ModuleType("google.colab")
"""
PIP = """
import json, os, sys
with open(os.environ["PIP_CALLS"], "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
"""


@pytest.fixture
def colab(tmp_path, monkeypatch):
    """Kernels take themselves for Colab's."""
    start_up = tmp_path / "ipython" / "profile_default" / "startup"
    start_up.mkdir(parents=True)
    (start_up / "colab.py").write_text(LIKE_COLAB)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


@pytest.fixture
def pip_calls(colab, tmp_path, monkeypatch):
    """lrcore, as if installed, and a pip that does nothing; what it was asked for."""
    (tmp_path / "path" / "pip").mkdir(parents=True)
    (tmp_path / "path" / "pip" / "__init__.py").write_text("")
    (tmp_path / "path" / "pip" / "__main__.py").write_text(PIP)
    (tmp_path / "path" / "lrcore").symlink_to(ROOT / "lrcore")
    record = tmp_path / "pip-calls"
    record.write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setenv("PIP_CALLS", str(record))
    return lambda: [json.loads(line) for line in record.read_text().splitlines()]


def install_call():
    url, branch = repository.configured()
    return ["install", "-q", "--no-deps", f"git+{url}@{branch}"]


# --- the environment is what it says


def test_the_versions_are_those_of_colab():
    pins = [line for line in (ROOT / "requirements-colab.txt").read_text().splitlines() if line]
    pins = [Requirement(line) for line in pins if not line.lstrip().startswith("#")]
    pins = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    wrong = [
        f"{pin}, not {version}"
        for pin in pins
        if not pin.specifier.contains(version := importlib.metadata.version(pin.name))
    ]
    assert len(pins) > 40 and not wrong
    known = {"ipywidgets": "7.7.1", "ipython": "7.34.0", "matplotlib": "3.10.0", "numpy": "2.1.3"}
    assert {name: importlib.metadata.version(name) for name in known} == known


def test_what_colab_lacks_is_not_here():
    for name in ("pscript", "ray", "lrcore"):
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version(name)


def test_every_module_of_lrcore_can_be_imported():
    """Also those of the comparison, which only its chapter imports."""
    found = {module.name for module in pkgutil.walk_packages(lrcore.__path__, "lrcore.")}
    assert {"lrcore.explorer.page", "lrcore.cifar.data", "lrcore.cifar.results"} <= found
    for name in sorted(found - {"lrcore.cifar.cluster"}):
        importlib.import_module(name)
    with pytest.raises(ImportError, match="a cluster needs Ray"):
        importlib.import_module("lrcore.cifar.cluster")


# --- the chapters


def printed(cell):
    """What a cell printed. Not compared are pictures and tables, which differ with the versions of
    matplotlib and pandas, and how IPython shows a result; that is the business of nbval."""
    return "".join(out.text for out in cell.outputs if out.get("name") == "stdout")


def shown(cell):
    """The kinds of rich output of a cell."""
    return [set(out.data) for out in cell.outputs if "data" in out]


def pictures(cell):
    return sum("image/png" in kinds for kinds in shown(cell))


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_runs_and_prints_what_is_stored(name, pip_calls):
    stored = nbformat.read(ROOT / "chapters" / f"{name}.ipynb", as_version=4)
    ran = nbformat.from_dict(json.loads(json.dumps(stored)))
    folder = {"metadata": {"path": str(ROOT / "chapters")}}
    NotebookClient(
        ran,
        kernel_name="python3",
        timeout=execute.CELL_TIMEOUT,
        resources=folder,
        extra_arguments=["--log-level=ERROR"],
        shutdown_kernel="immediate",
    ).execute()

    code = [cell for cell in ran.cells if cell.cell_type == "code"]
    assert pip_calls() == [install_call()] * bool(code)
    for old, new in zip(stored.cells, ran.cells, strict=True):
        if new.cell_type != "code" or repository.is_set_up(new):
            continue
        assert printed(new) == printed(old), new.source
        assert not [out for out in new.outputs if out.get("name") == "stderr"], new.source
        if any("lr-explorer" in out.get("data", {}).get("text/html", "") for out in old.outputs):
            # live sliders, and nothing made for a page
            assert shown(new) == [{"text/plain", execute.WIDGET_VIEW}], new.source
        else:
            assert pictures(new) == pictures(old), new.source


# ps4 needs scikit-learn, which Colab has and this environment has not
@pytest.mark.parametrize("name", ["ps1", "ps2", "ps3"])
def test_a_problem_set_runs_to_its_end_and_says_what_is_open(name, colab):
    ran = nbformat.read(ROOT / "assignments" / "handouts" / f"{name}.ipynb", as_version=4)
    NotebookClient(
        ran,
        kernel_name="python3",
        timeout=execute.CELL_TIMEOUT,
        extra_arguments=["--log-level=ERROR"],
        shutdown_kernel="immediate",
    ).execute()
    visible = [cell for cell in ran.cells if "with trying(" in cell.source]
    assert len(visible) >= 4
    for cell in visible:
        assert printed(cell).endswith(": open\n") and printed(cell).count("\n") == 1, cell.source


# --- the set-up cell, with the real pip


@pytest.fixture
def empty_environment(tmp_path, monkeypatch):
    """The site-packages of an environment, and of the kernel "colab", that can import all that this
    one can but has nothing installed: what a cell installs goes there."""
    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=WAIT)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "more.pth").write_text(sysconfig.get_path("purelib") + "\n")
    kernel = tmp_path / "jupyter" / "kernels" / "colab"
    kernel.mkdir(parents=True)
    start = [str(place / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(
        json.dumps({"argv": start, "display_name": "Colab", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    return site


@pytest.fixture
def on_github(tmp_path, monkeypatch):
    """This lrcore in a repository, which git takes for the one at the configured address."""
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lrcore", source / "lrcore", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    address = repository.configured()
    author = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (
        ["init", "-q", "-b", address.branch],
        ["add", "."],
        [*author, "commit", "-q", "-m", "All"],
    ):
        subprocess.run(["git", *command], cwd=source, check=True, timeout=WAIT)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{source.as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", address.url)


def test_the_set_up_cell_installs_lrcore_alone(colab, empty_environment, on_github, tmp_path):
    use = (
        "import lrcore; from torch.optim.lr_scheduler import StepLR; print(lrcore.__file__);"
        "print(*lrcore.explore(StepLR, step_size=(5, 50, 5))._repr_mimebundle_())"
    )
    texts = (repository.set_up(repository.configured()), use)
    cells = [nbformat.v4.new_code_cell(text) for text in texts]
    NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        kernel_name="colab",
        timeout=300,
        resources={"metadata": {"path": str(tmp_path)}},
        allow_errors=True,
    ).execute()
    assert sorted(path.name for path in empty_environment.iterdir()) == [
        "lrcore",
        f"lrcore-{lrcore.__version__}.dist-info",
        "more.pth",
    ], cells[0].outputs
    where, kinds = printed(cells[1]).splitlines()
    assert Path(where) == empty_environment / "lrcore" / "__init__.py"
    assert set(kinds.split()) == {"text/plain", execute.WIDGET_VIEW}


# --- the sliders, as a front end moves them: by messages

EXPLORER = "lr=0.5, step_size=(5, 50, 5), gamma=(0.1, 0.9, 0.1)"
START = f"""
from matplotlib import pyplot as plt
from torch.optim.lr_scheduler import StepLR
from lrcore import explore
explorer = explore(StepLR, {EXPLORER})
explorer
"""


class FrontEnd:
    """The other end of a kernel's messages."""

    def __init__(self, client):
        self.client = client
        self.models = {}  # of each widget: its state

    def replies(self, request):
        """The messages that a request causes, until the kernel is idle again."""
        found = []
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                return found
            if message["msg_type"] in ("comm_open", "comm_msg"):
                self.note(content, message["buffers"])
            found.append(message)
        raise AssertionError(f"the kernel was still busy after {WAIT} s")

    def note(self, content, buffers):
        data = content["data"]
        state = self.models.setdefault(content["comm_id"], {})
        state.update(data.get("state", {}))
        for path, buffer in zip(data.get("buffer_paths", []), buffers, strict=True):
            state[path[0]] = bytes(buffer)

    def run(self, code):
        return self.replies(self.client.execute(code))

    def printed(self, code):
        streams = [m for m in self.run(code) if m["msg_type"] == "stream"]
        return "".join(m["content"]["text"] for m in streams)

    def model(self, key, value):
        (found,) = (name for name, state in self.models.items() if state.get(key) == value)
        return found

    def move(self, slider, value):
        update = {"method": "update", "state": {"value": value}, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": slider, "data": update})
        self.client.shell_channel.send(message)
        return self.replies(message["header"]["msg_id"])


@pytest.fixture
def front_end(pip_calls):
    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=WAIT)
    yield FrontEnd(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_slider_that_a_front_end_moves_changes_the_figure(front_end):
    started = front_end.run(START)
    assert not [m for m in started if m["msg_type"] in ("error", "stream")]
    slider = front_end.model("description", "step_size")
    image = front_end.models[front_end.model("_model_name", "ImageModel")]
    opened = len(front_end.models)

    here = explore(StepLR, lr=0.5, step_size=(5, 50, 5), gamma=(0.1, 0.9, 0.1))
    assert image["value"] == panels_png(here.panels, here.curves(here.start))
    seen = set()
    for value in 2 * list(range(5, 51, 5)):
        messages = front_end.move(slider, value)
        # nothing but changes of what is there: no figure under the figure, no new widget
        assert {m["msg_type"] for m in messages} <= {"status", "comm_msg"}
        seen.add((value, image["value"]))
    assert len(front_end.models) == opened
    curves = {value: here.curves({**here.start, "step_size": value}) for value, _ in seen}
    assert seen == {(value, panels_png(here.panels, curves[value])) for value in curves}
    assert len({picture for _, picture in seen}) == 10
    assert front_end.printed("print(explorer.values(), plt.get_fignums())") == (
        f"{ {**here.start, 'step_size': 50} } []\n"
    )
    rates = front_end.printed("print(explorer.curves(explorer.values()).rate)")
    assert json.loads(rates) == curves[50].rate
