"""The two scripts that a page loads when Python is first asked for: the runtime and the editor.

Both come from npm packages, pinned in package-lock.json by version and integrity; esbuild makes one
classic script of each, because a page that lies on a disk may load no modules and fetch nothing.
"""

import base64
import gzip
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

from book.page_python.port import module

HERE = Path(__file__).parent
RUNTIME, EDITOR = "page_python_runtime.js", "page_python_editor.js"
PACKAGE = "@micropython/micropython-webassembly-pyscript"
LRCORE = ("checks", "formulas", "schedulers", "toy", "tracing")
LOADER = {
    # MicroPython fetches its machine code; here the page hands it over, already compiled
    "let Module={locateFile:": "let Module={instantiateWasm:options.instantiateWasm,locateFile:",
    # its command line, for Node alone, and what no classic script can have
    'const path=await import("path"),url=await import("url"),': "const path={},url={},",
}


class BundleError(Exception):
    """The npm packages are not there, or not as this expects them."""


def node_modules():
    """Where `make` puts the npm packages."""
    folder = Path(sys.prefix, "node", "node_modules")
    if not (folder / PACKAGE).is_dir():
        raise BundleError(f"{folder} has no {PACKAGE}: `make book` installs it")
    return folder


def library():
    """{path: source} of all Python that the page's interpreter can import."""
    found = {
        path.relative_to(HERE / "stand_ins").as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((HERE / "stand_ins").rglob("*.py"))
    }
    found["torch/optim/lr_scheduler.py"] = module("torch.optim.lr_scheduler")
    from_schedulers = "from torch.optim.lr_scheduler import LRScheduler, _format_param\n"
    found["torch/optim/swa_utils.py"] = from_schedulers + module(
        "torch.optim.swa_utils", classes=["SWALR"]
    )
    for name in LRCORE:
        found[f"lrcore/{name}.py"] = module(f"lrcore.{name}")
    return found


def esbuild(folder, source, *options):
    """One classic script of an ES module and all that it imports."""
    command = [folder / ".bin" / "esbuild", source, "--bundle", "--minify", "--format=iife"]
    done = subprocess.run(
        [*command, "--target=es2020", "--log-level=error", *options],
        env={**os.environ, "NODE_PATH": str(folder), "PATH": path_with_node()},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BundleError(f"esbuild failed on {source}:\n{done.stderr}")
    return done.stdout


def path_with_node():
    """PATH, with the Node that lies beside this Python first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def worker(folder, scratch):
    """The script of the worker: MicroPython and worker.js."""
    text = (folder / PACKAGE / "micropython.mjs").read_text(encoding="utf-8")
    for old, new in LOADER.items():
        if text.count(old) != 1:
            raise BundleError(f"{PACKAGE} is not what it was: its loader has no {old!r}")
        text = text.replace(old, new)
    loader = scratch / "micropython.mjs"
    loader.write_text(text, encoding="utf-8")
    node_only = [f"--external:{name}" for name in ("fs", "module", "path", "url")]
    here = "--define:import.meta.url=self.location.href"
    return esbuild(folder, HERE / "worker.js", f"--alias:micropython={loader}", here, *node_only)


def write(static, scratch):
    """Write both scripts into the folder `static`; `scratch` is a folder for what lies between."""
    folder = node_modules()
    scratch.mkdir(parents=True, exist_ok=True)
    machine_code = gzip.compress((folder / PACKAGE / "micropython.wasm").read_bytes(), 9, mtime=0)
    runtime = {
        "wasm": base64.b64encode(machine_code).decode(),
        "worker": worker(folder, scratch),
        "library": library(),
    }
    text = f"/*\n{notice()}\n*/\nwindow.LR_PYTHON = {json.dumps(runtime)};\n"
    (static / RUNTIME).write_text(text, encoding="utf-8")
    (static / EDITOR).write_text(esbuild(folder, HERE / "editor.js"), encoding="utf-8")


def notice():
    """Whose work the runtime is: both licences ask for it."""
    torch = importlib.metadata.distribution("torch")
    licence = next(file for file in torch.files if file.name == "LICENSE")
    terms = "".join(licence.read_text(encoding="utf-8").partition("SUCH DAMAGE.")[:2])
    return (
        "MicroPython, https://micropython.org, MIT licence, copyright Damien P. George and "
        "others.\n\n"
        "torch/optim/lr_scheduler.py and swa_utils.py: PyTorch, https://pytorch.org, without its\n"
        f"comments and types:\n\n{terms}"
    ).replace("*/", "* /")
