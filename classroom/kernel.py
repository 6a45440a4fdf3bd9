"""A notebook run in a sandboxed kernel, and what comes out of it: outputs, and plain values.

nbclient runs outside and sends one cell after the other in.
"""

import ast
import contextlib
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from traitlets import default

from classroom import sandbox
from classroom.course import pieces

OUTPUT = 32 * 2**20  # characters that a notebook may show, pictures included
SETUP_SECONDS = 60  # for a cell that only the teacher wrote, such as the imports
FORKING = 10  # seconds, until a fork must be there, and until its kernel must answer
EXPLORING = 30  # seconds, for all cells together that a student added: they earn no points
OUT_OF_TIME = "CellTimeoutError"
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")

# PyTorch loads a good part of itself with its first optimizer step. Without the garbage collector,
# which would look through all of it again and again, that is a tenth faster.
WARM_UP = """
import gc
gc.disable()
import torch
torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0).step()
gc.enable()
"""
# What runs in the sandbox before any code of a student. Each kernel is a fork of it, with PyTorch
# loaded and empty names. When a kernel ends, all ends, unless SIGUSR1 asked for another before and
# the folder is as it was. All ends with its parent, too, by PR_SET_PDEATHSIG (1).
# (`exit()` would end a kernel a moment later, in the midst of the checks.)
SERVER = f"""
import sys
del sys.path[0]  # this folder, where modules of a student may lie
import ctypes, os, signal
def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
end_with_parent()
{WARM_UP}
import numpy
from IPython.core.profiledir import ProfileDir
from IPython.paths import get_ipython_dir
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
def folder():
    here, found = os.stat(".").st_dev, []
    for path, inside, names in os.walk("."):  # but for the sockets, which are mounted
        inside[:] = [name for name in inside if os.lstat(os.path.join(path, name)).st_dev == here]
        found += [os.path.join(path, name) for name in inside]
        for name in names:
            file = os.path.join(path, name)
            found.append(f"{{file}} {{os.lstat(file).st_mtime_ns}}")
    return sorted(found)
ZMQInteractiveShell.ask_exit = lambda shell: None
ProfileDir.create_profile_dir_by_name(get_ipython_dir())
another = {{signal.SIGUSR1}}
signal.pthread_sigmask(signal.SIG_BLOCK, another)
before = folder()
gc.freeze()
while True:
    kernel = os.fork()
    if not kernel:
        end_with_parent()
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, another)
        numpy.random.seed()
        IPKernelApp.launch_instance(sys.argv[1:])
        os._exit(0)
    os.waitpid(kernel, 0)
    if not another & signal.sigpending() or folder() != before:
        break
    signal.sigwait(another)
"""
# A probe runs among the names of the notebook, but for those that hide a name of Python or of the
# set-up cell: `float = str` or another `check` harms nobody. `got` leaves it as plain values.
PROBE = """
import json
from IPython.display import display
helpers = names.get(key)
if helpers is None:
    helpers = names[key] = {"__name__": "__main__"}
    exec(setup, helpers)
def plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    try:
        return float(value)  # as `check` does
    except Exception:
        return [plain(one) for one in value]
those = {name: names[name] for name in names if not hasattr(__builtins__, name)} | helpers
exec(source, those)
display({kind: json.dumps(plain(those["got"]))}, raw=True)
"""
AMONG = "import builtins as _b\n_b.exec({!r}, {{'names': _b.globals(), '__builtins__': _b}} | {!r})"
KIND = "application/x-got"


class Stopped(Exception):
    """A run ended before its end: the message says why, and in which cell.

    `added` is the number of the cell if a student added it, else None.
    """

    added = None


class KernelManager(AsyncKernelManager):
    """Starts the kernel in the sandbox, whatever kernel a notebook asks for."""

    shared = ""  # the folder of the sockets
    in_sandbox = True

    @default("kernel_spec_manager")
    def _no_manager(self):
        return None

    @property
    def kernel_spec(self):
        command = [sys.executable, "-c", SERVER, "-f", "{connection_file}"]
        command += ["--log-level=CRITICAL", "--HistoryManager.enabled=False"]
        if self.in_sandbox:
            argv = sandbox.wrap(command, self.shared, self.connection_file)
        else:
            argv = sandbox.launch(command, self.connection_file)
        # a signal would reach bubblewrap and end it; a message reaches the kernel
        return KernelSpec(argv=argv, language="python", interrupt_mode="message")

    def client(self, **options):
        """A client with the manager's context, and so with its limit on messages."""
        return super().client(context=self.context, **options)


class Run(NotebookClient):
    """A notebook in a kernel that runs: made by `Kernels.running`."""

    def __init__(self, notebook, cell_seconds, watch, **options):
        super().__init__(
            notebook, allow_errors=True, interrupt_on_timeout=True, raise_on_iopub_timeout=True,
            iopub_timeout=cell_seconds, timeout_func=self.seconds_of,
            error_on_timeout={"ename": OUT_OF_TIME, "evalue": "", "traceback": []},
            shutdown_kernel="immediate", on_cell_executed=self.note_reply, **options,
        )  # fmt: skip
        self.cell_seconds = cell_seconds
        self.watch = watch
        self.left = EXPLORING
        self.skipped = []  # cells that a student added and that found no time left
        self.printed = 0
        self.where = "the start"
        self.reply = {}
        self.key = f"_{secrets.token_hex(8)}"  # of the helpers, among the names of the notebook

    def seconds_of(self, cell):
        """The limit of a cell, by who wrote it."""
        data = cell.metadata.get("nbgrader") if cell is not None else None
        if cell is None or (data and data.get("locked") and not data.get("grade")):
            return SETUP_SECONDS
        return self.cell_seconds if data else min(self.cell_seconds, self.left)

    def note_reply(self, cell, cell_index, execute_reply):
        self.reply = execute_reply["content"]

    def process_message(self, msg, cell, cell_index):
        self.printed += len(str(msg["content"]))
        if self.printed > OUTPUT:
            self.watch.kill(f"it showed more than {OUTPUT // 2**20} MB")
            raise DeadKernelError("too much output")
        return super().process_message(msg, cell, cell_index)

    def run_cell(self, cell, place, where, **options):
        """Run a cell; its error, (name, message), or None. Raises Stopped."""
        self.where = where
        self.reply = {}
        try:
            self.execute_cell(cell, place, **options)
        except Exception as error:
            raise Stopped(self.why(error)) from None
        if self.watch.reason:
            raise Stopped(f"{self.watch.reason} ({where})")
        if self.reply.get("status") != "error":
            return None
        return str(self.reply["ename"]), str(self.reply["evalue"])

    def why(self, error):
        """In words, why nbclient gave up."""
        if self.watch.reason:
            reason = self.watch.reason
        elif "Timeout" in type(error).__name__ or "didn't respond" in str(error):
            reason = "it ran too long and could not be interrupted"
        else:
            reason = "its Python process ended by itself or was ended"
        return f"{reason} ({self.where})"

    def run_notebook(self):
        """Run all cells; their errors, {number of the cell from 1: (name, message)}.

        Raises Stopped.
        """
        errors = {}
        for number, cell in enumerate(self.nb.cells, start=1):
            if cell.cell_type != "code":
                continue
            added = "nbgrader" not in cell.metadata
            if added and self.left < 1:
                self.skipped.append(f"cell {number}")
                continue
            began = time.monotonic()
            try:
                error = self.run_cell(cell, number - 1, f"cell {number}")
            except Stopped as stopped:
                stopped.added = number if added else None
                raise
            if error:
                errors[number] = error
            if added and error and error[0] in IMPORT_ERRORS:  # such as Colab's own
                for part in pieces(cell.source, DEFINITIONS):
                    self.extra(part, f"cell {number}")
            if added:
                self.left -= time.monotonic() - began
        return errors

    def extra(self, source, where, locked=False):
        """Run code that is not part of the notebook: its error or None, and its outputs."""
        cell = nbformat.v4.new_code_cell(source, metadata={"nbgrader": {"locked": locked}})
        self.nb.cells.append(cell)
        try:
            error = self.run_cell(cell, len(self.nb.cells) - 1, where, store_history=False)
        finally:
            self.nb.cells.pop()
        return error, cell.outputs

    def probe(self, source, where, setup):
        """Run code that leaves `got`: that as plain values, and an error or None.

        `setup` is the source of the teacher's set-up cell. Raises Stopped.
        """
        given = {"source": source, "setup": setup, "kind": KIND, "key": self.key}
        error, outputs = self.extra(AMONG.format(PROBE, given), where)
        if error:
            return None, error
        sent = [output.data[KIND] for output in outputs if KIND in output.get("data", {})]
        try:
            return json.loads(sent[-1]), None
        except (IndexError, TypeError, ValueError, RecursionError):
            return None, ("RuntimeError", "nothing came out that is a number or a text")


class Kernels:
    """The kernels of a submission, one at a time; all end with the `with` block that it opens.

    They share a sandbox as long as each leaves it as it was. `seconds` is the limit for all of
    them, `cell_seconds` that of a cell.
    """

    def __init__(self, in_sandbox, seconds, cell_seconds):
        self.in_sandbox = in_sandbox
        self.until = time.monotonic() + seconds
        self.cell_seconds = cell_seconds
        self.opened = contextlib.ExitStack()
        self.manager = None  # of the sandbox that is open
        self.watch = None  # on it
        self.processes = []  # in it when no cell had run yet: the server, and last the kernel

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.opened.close()

    @contextlib.contextmanager
    def running(self, notebook):
        """A `Run` of the notebook in a fresh kernel. Raises Stopped if that does not start."""
        run = self.start(notebook)
        try:
            yield run
        finally:
            run.kc.stop_channels()

    def start(self, notebook):
        """A `Run` whose kernel answers: a fork if there can be one, else one in a new sandbox."""
        forked = self.fork_another()
        if not forked:
            self.opened.close()
            self.open()
        run = Run(notebook, self.cell_seconds, self.watch, km=self.manager,
                  startup_timeout=FORKING if forked else 2 * SETUP_SECONDS)  # fmt: skip
        try:
            if not forked:
                run.start_new_kernel()
            run.start_new_kernel_client()
        except Exception as error:
            self.processes = []
            if forked:  # what the last notebook did must not be this one's loss
                return self.start(notebook)
            raise Stopped(run.why(error)) from None
        self.processes = self.below()
        return run

    def open(self):
        """Make a sandbox, in which nothing runs yet, and watch it."""
        # short, for the path of a socket must be
        made = tempfile.TemporaryDirectory(prefix="lr-grade-", ignore_cleanup_errors=True)
        folder = self.opened.enter_context(made)
        Path(folder, "owner").write_text(str(os.getpid()))
        shared = Path(folder, "s")
        shared.mkdir()
        shared.chmod(0o777)
        sockets = zmq.asyncio.Context()
        sockets.setsockopt(zmq.MAXMSGSIZE, 256 * 2**20)
        self.opened.callback(sockets.destroy, linger=0)
        self.manager = KernelManager(
            transport="ipc",  # files in a folder: a sandbox without a network has no ports
            connection_file=str(shared / "kernel.json"), ip=str(shared / "socket"), context=sockets,
        )  # fmt: skip
        self.manager.shared, self.manager.in_sandbox = str(shared), self.in_sandbox
        left = self.until - time.monotonic()
        self.watch = sandbox.Watch(shared, overhead=3 if self.in_sandbox else 1, seconds=left)
        self.watch.start()
        self.opened.callback(run_sync(self.manager.shutdown_kernel), now=True)
        self.opened.callback(self.watch.end)  # first: it knows what the kernel started

    def below(self):
        """The processes of the sandbox: parents stand before their children."""
        return psutil.Process(self.manager.provisioner.pid).children(recursive=True)

    def fork_another(self):
        """Whether another kernel was forked in the same sandbox: not if the last left a trace."""
        if not (self.in_sandbox and self.processes) or self.watch.reason:
            return False
        server, kernel = self.processes[-2:]
        try:
            if self.below() != self.processes:
                return False
            server.send_signal(signal.SIGUSR1)
            kernel.kill()
            until = time.monotonic() + FORKING
            while time.monotonic() < until and server.status() != psutil.STATUS_ZOMBIE:
                if any(child != kernel for child in server.children()):
                    return True
                time.sleep(0.01)
        except (psutil.Error, AttributeError):  # it has ended
            pass
        return False
