"""The live sliders where readers move them: JupyterLab with a kernel, in a real browser.

Every wait is bounded, and the server ends with the tests whatever happens in them.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from jupyter_client import BlockingKernelClient
from playwright.sync_api import TimeoutError, expect
from torch.optim.lr_scheduler import StepLR

from lrcore import explore, trace
from lrcore.explorer.model import summary
from lrcore.plotting import panels_png

WAIT = 120  # seconds, for the server, the page and the kernel to start
MOVE = 30  # seconds, for a move to be drawn
CONTROLS = {"lr": (0.1, 2.0, 0.1), "step_size": (5, 50, 5), "gamma": (0.1, 0.9, 0.1)}
CODE = f"""\
from matplotlib import pyplot as plt
from torch.optim.lr_scheduler import StepLR
from lrcore import explore

explorer = explore(StepLR, **{CONTROLS})
explorer"""
# Opens the notebook and runs it once it has a kernel: a key pressed before that is lost.
RUN = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  const panel = await app.commands.execute('docmanager:open', { path: 'live.ipynb' });
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  await app.commands.execute('notebook:run-all-cells');
  return true;
}"""
# The picture that the page shows, as it got it.
PICTURE = """async image => {
  const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
  return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''));
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab with one notebook: its address, and the folder of its kernels' connections."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [nbformat.v4.new_code_cell(CODE)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "live.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = ("config", "data", "runtime")  # nothing of the reader's own Jupyter
    places = {f"JUPYTER_{name.upper()}_DIR": str(folder / f".{name}") for name in own}
    options = [
        "--allow-root",
        "--no-browser",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    ]
    with (folder / ".log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env={**os.environ, **places, "JUPYTER_PREFER_ENV_PATH": "1"},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + WAIT
        while not answers(address + "/api"):
            assert server.poll() is None and time.monotonic() < end, (folder / ".log").read_text()
            time.sleep(0.2)
        yield address, folder / ".runtime"
    finally:
        server.terminate()  # it stops its kernels
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def page(lab, browser):
    """The notebook, run, with its sliders shown."""
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    page.set_default_timeout(1000 * WAIT)
    page.goto(lab[0] + "/lab?reset")
    page.wait_for_function("() => window.jupyterapp")
    try:
        page.wait_for_function(RUN)  # unlike `evaluate` it ends
        page.locator(".jp-OutputArea-output img").first.wait_for()
    except TimeoutError:
        shown = page.locator("body").inner_text()
        pytest.fail(f"The notebook shows no figure. The page says:\n{shown}")
    yield page
    page.close()


@pytest.fixture(scope="module")
def kernel(lab, page):
    """A second client of the notebook's kernel; it returns the JSON that an expression gives."""
    (connection,) = lab[1].glob("kernel-*.json")
    client = BlockingKernelClient(connection_file=str(connection))
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(timeout=WAIT)

    def value_of(expression):
        wanted = {"value": f"__import__('json').dumps({expression})"}
        reply = client.execute_interactive(
            "", user_expressions=wanted, store_history=False, timeout=MOVE
        )["content"]
        found = reply["user_expressions"]["value"]
        assert found["status"] == "ok", found
        return json.loads(eval(found["data"]["text/plain"]))

    yield value_of
    client.stop_channels()


class Shown:
    """What the page shows of the explorer."""

    def __init__(self, page):
        self.output = page.locator(".jp-Notebook .jp-OutputArea-output")
        self.images = self.output.locator("img")
        self.words = self.output.locator("p[role=status]")
        self.code = self.output.locator("pre").last

    def handle(self, name):
        row = self.output.locator(".widget-inline-hbox").filter(has_text=name)
        return row.locator(".noUi-handle, input[type=range]").first

    def picture(self):
        return base64.b64decode(self.images.evaluate(PICTURE))


@pytest.fixture
def shown(page):
    return Shown(page)


def expected(values):
    """The words and the picture for these values, made here with the real torch scheduler."""
    explorer = explore(StepLR, **CONTROLS)
    curves = explorer.curves({**explorer.start, **values})
    params = {name: values[name] for name in ("step_size", "gamma")}
    assert curves.rate == trace(StepLR, 100, values["lr"], **params).lr
    return summary(curves.rate, curves.loss), panels_png(explorer.panels, curves), curves


def check(shown, kernel, values):
    words, picture, curves = expected(values)
    expect(shown.words).to_have_text(words, timeout=1000 * MOVE)
    arguments = ", ".join(f"{name}={values[name]}" for name in ("step_size", "gamma"))
    code = f"scheduler = StepLR(optimizer, {arguments})"
    expect(shown.code).to_contain_text(code, timeout=1000 * MOVE)
    assert kernel("explorer.values()") == {"steps": 100, "every": 1, "batch_size": 1, **values}
    assert kernel("explorer.curves(explorer.values()).rate") == curves.rate
    assert shown.picture() == picture
    return picture


def test_a_slider_moved_by_keyboard_changes_the_figure(page, shown, kernel):
    start = kernel("explorer.start")
    values = {name: start[name] for name in CONTROLS}
    pictures = {check(shown, kernel, values)}

    handle = shown.handle("step_size")
    handle.focus()
    handle.press("ArrowRight")
    values["step_size"] += 5
    pictures.add(check(shown, kernel, values))

    handle = shown.handle("lr")
    handle.focus()
    handle.press("ArrowLeft")
    values["lr"] = round(values["lr"] - 0.1, 1)
    pictures.add(check(shown, kernel, values))
    assert len(pictures) == 3


def test_fifty_moves_leave_one_figure(page, shown, kernel):
    handle = shown.handle("step_size")
    handle.focus()
    outputs = shown.output.count()
    seen = set()
    for key in 25 * ["ArrowLeft", "ArrowRight"]:
        before = shown.words.inner_text()
        handle.press(key)
        expect(shown.words).not_to_have_text(before, timeout=1000 * MOVE)
        seen.add(shown.words.inner_text())
    assert len(seen) == 2
    expect(shown.images).to_have_count(1)
    assert shown.output.count() == outputs
    assert kernel("plt.get_fignums()") == []
    values = kernel("explorer.values()")
    check(shown, kernel, {name: values[name] for name in CONTROLS})
    assert not page.locator(".jp-OutputArea [data-mime-type*=stderr]").count()
