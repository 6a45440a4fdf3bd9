"""Grade one submission with nbgrader. Runs in a process of its own, outside of the sandbox.

The kernel, and so all code of the student, runs inside. What comes back is a dictionary, ready to
be written as JSON: see `grade`.
"""

import ast
import ctypes
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.preprocessors import CheckCellMetadata, Execute
from traitlets import default

from classroom import sandbox
from classroom.course import (
    STUDENT,
    CourseError,
    defined,
    released_cells,
    run_nbgrader,
    settings,
    statements,
)
from classroom.files import text_of

OUTPUT = 2**20  # characters that a notebook may print
SHOWN = 2000  # characters of an output that the feedback shows
MESSAGE = 600  # and of the message of a check
SETUP_SECONDS = 60  # for a cell that only the teacher wrote, such as the imports
EXPLORING = 30  # seconds, for all cells together that a student added: they earn no points
OWN_MEMORY = 4 * 2**30  # bytes, of the process that talks to the kernel
NOT_FOUND = "(The cell of this answer was not found: look into the notebook.)"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")  # colours of a terminal

# A check runs among the names of the notebook, but for those that hide a name of Python, and with
# the notebook's own helpers as they were handed out: `float = str` or another `check` is harmless.
GUARD = """
import builtins as _b
_n = {{k: v for k, v in globals().items() if not hasattr(_b, k) or k.startswith("__")}}
try:
    _b.exec({helpers!r}, _n)
    _b.exec({source!r}, _n)
finally:
    del _b, _n
"""
# Run first, with much time: PyTorch loads a good part of itself with its first optimizer. Without
# the garbage collector, which would look through all of it again and again, that is a tenth faster.
WARM_UP = """
import gc
gc.disable()
import torch
torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0).step()
gc.enable()
"""
# Must fail, for a notebook whose checks can be believed.
CANARIES = (
    "assert False",
    "check('canary', [1.0, 2.0], [1.0, 2.5])",
    "check('canary', [float('nan')], [1.0])",
    "check('canary', [], [1.0])",
)


IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")


class Ungradable(Exception):
    """The submission cannot be graded: the message says why."""


def read_notebook(text):
    """A notebook that holds only the cells of a submission: type, source, nbgrader's data.

    All else (outputs, attachments, ids) is left behind. Raises Ungradable if `text` is no notebook.
    """
    try:
        given = nbformat.reads(text, as_version=4)
        cells = [(cell["cell_type"], str(cell["source"]), cell) for cell in given["cells"]]
    except Exception as error:  # a damaged file fails in many ways
        kind = type(error).__name__
        raise Ungradable(f"the file is no notebook that can be read ({kind})") from None
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    notebook = nbformat.v4.new_notebook()
    for kind, source, old in cells:
        data = old.get("metadata", {}).get("nbgrader")
        cell = make.get(kind, nbformat.v4.new_raw_cell)(source)
        cell.metadata["was"] = {
            "grade_id": data.get("grade_id") if isinstance(data, dict) else None,
            "id": old.get("id", ""),
        }
        notebook.cells.append(cell)
    return notebook


def restore(notebook, released):
    """Give the cells of a submission nbgrader's data back, in place, and add what was deleted.

    An answer whose data were lost is found by the id of its cell, or by the function or class that
    it defines. Returns notes on what was done, and the grade_ids of the answers that were not
    found. A changed cell that is put back keeps the student's imports, in a cell before it.
    Raises Ungradable if there is no answer at all.
    """
    notes = []
    by_grade_id = {}
    for cell in notebook.cells:
        by_grade_id[cell.metadata.was["grade_id"]] = cell  # of copies, the last one counts
    found = {r.grade_id: by_grade_id[r.grade_id] for r in released if r.grade_id in by_grade_id}
    used = {id(cell) for cell in found.values()}
    for r in released:
        if r.grade_id in found:
            continue
        free = [cell for cell in notebook.cells if id(cell) not in used]
        same = [cell for cell in free if cell.metadata.was["id"] == r.cell.id]
        if not same and r.is_answer and r.defines:
            same = [cell for cell in free if r.defines & defined(cell)]
        if len(same) == 1:
            found[r.grade_id] = same[0]
            used.add(id(same[0]))
    answers = [r.grade_id for r in released if r.is_answer]
    if not any(grade_id in found for grade_id in answers):
        raise Ungradable("none of its answer cells was found: is it the right notebook?")
    lost = [grade_id for grade_id in answers if grade_id not in found]
    if lost:
        notes.append(f"answers missing: {', '.join(lost)}")
    stripped = [g for g in found if found[g].metadata.was["grade_id"] != g]
    if stripped:
        notes.append(f"lost metadata given back: {', '.join(stripped)}")
    deleted = [r.grade_id for r in released if r.grade_id not in found and not r.is_answer]
    if deleted:
        notes.append(f"deleted cells put back: {', '.join(deleted)}")

    changed = [r for r in released if r.grade_id in found and not r.is_answer
               and found[r.grade_id].source.split() != r.cell.source.split()]  # fmt: skip
    if changed:
        notes.append(f"changed cells put back: {', '.join(r.grade_id for r in changed)}")
    for r in changed:
        imports = imports_of(found[r.grade_id].source)
        if imports and not r.is_test:
            added = nbformat.v4.new_code_cell(imports, metadata={"was": {}})
            notebook.cells.insert(notebook.cells.index(found[r.grade_id]), added)

    position = 0
    for r in released:
        if r.grade_id in found:
            cell = found[r.grade_id]
            cell.metadata["nbgrader"] = r.cell.metadata.nbgrader
            position = notebook.cells.index(cell) + 1
        else:
            cell = nbformat.from_dict(r.cell)
            cell.metadata["was"] = {}
            if r.is_answer:
                cell.source = ""  # it may be in another cell, which the stub would hide
            notebook.cells.insert(position, cell)
            position += 1
    for cell in notebook.cells:
        del cell.metadata["was"]
    return notes, lost


def imports_of(source):
    """The import statements at the top level of a cell, one a line; none of code that is broken."""
    kinds = (ast.Import, ast.ImportFrom)
    return "\n".join(ast.unparse(x) for x in statements(source) or () if isinstance(x, kinds))


class KernelManager(AsyncKernelManager):
    """Starts the kernel in the sandbox, whatever kernel a notebook asks for."""

    wrap = None  # (command, connection file) -> command in the sandbox
    shared = None
    sockets = None  # a zmq context

    @default("kernel_spec_manager")
    def _no_manager(self):
        return None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.transport = "ipc"  # files in a folder: a sandbox without a network has no ports
        self.connection_file = os.path.join(self.shared, "kernel.json")
        self.ip = os.path.join(self.shared, "socket")
        self.context = self.sockets

    @property
    def kernel_spec(self):
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        command += ["--log-level=CRITICAL", "--HistoryManager.enabled=False"]
        argv = self.wrap(command, self.connection_file)
        # a signal would reach bubblewrap and end it; a message reaches the kernel
        return KernelSpec(argv=argv, language="python", interrupt_mode="message")


class SandboxedExecute(Execute):
    """nbgrader's Execute, with the kernel in a sandbox, guarded checks and a limit on output."""

    watch = None
    helpers = ""  # the source of the cell that all checks rely on
    progress = ""
    skipped = ()  # cells that a student added and that found no time left
    suspicious = False
    checking = False  # whether the cell that runs is a check

    def __init__(self, *args, **kwargs):
        kwargs["kernel_manager_class"] = KernelManager
        super().__init__(*args, **kwargs)
        self.shutdown_kernel = "immediate"
        self.timeout_func = self.seconds
        self.printed = 0
        self.left = EXPLORING

    def seconds(self, cell):
        data = cell.metadata.get("nbgrader") if cell is not None else None
        if cell is None or (data and data.get("locked") and not data.get("grade")):
            return SETUP_SECONDS
        return self.timeout if data else min(self.timeout, self.left)

    def preprocess_cell(self, cell, resources, index):
        if index == 0:
            self.passes(WARM_UP, cell)
        SandboxedExecute.progress = f"cell {index + 1}"
        source = cell.source
        data = cell.metadata.get("nbgrader", {})
        self.checking = bool(data.get("grade") and not data.get("solution"))
        if self.checking:
            cell.source = GUARD.format(helpers=self.helpers, source=source)
        added = cell.cell_type == "code" and not data
        if added and self.left < 1:
            cell.source = ""
            SandboxedExecute.skipped.append(f"cell {index + 1}")
        began = time.monotonic()
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        finally:
            cell.source = source
        if added:
            self.left -= time.monotonic() - began
        if self.checking:  # nbgrader gives no points to a cell that wrote to stderr
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        if index == len(self.nb.cells) - 1:
            canaries = [GUARD.format(helpers=self.helpers, source=canary) for canary in CANARIES]
            SandboxedExecute.suspicious = any(self.passes(canary, cell) for canary in canaries)
        return cell, resources

    def execute_cell(self, cell, cell_index, **options):
        if self.checking:
            options["store_history"] = False  # a later cell could print it
        return super().execute_cell(cell, cell_index, **options)

    def passes(self, source, beside):
        """Run a cell that is not part of the notebook, and put `beside` back where it ran."""
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata["nbgrader"] = {"locked": True}
        place = self.nb.cells.index(beside)
        self.execute_cell(cell, place, store_history=False)
        self.nb.cells[place] = beside
        return not any(output.output_type == "error" for output in cell.outputs)

    def process_message(self, msg, cell, cell_index):
        self.printed += len(str(msg["content"]))
        if self.printed > OUTPUT:
            self.watch.kill(f"it printed more than {OUTPUT // 2**20} MB")
            raise DeadKernelError("too much output")
        return super().process_message(msg, cell, cell_index)


def grade(course, template, name, path, in_sandbox=True, seconds=sandbox.SECONDS):
    """Grade the notebook at `path` as problem set `name`; return the outcome.

    `template` is a folder made by `course.build`. The outcome has "status", "graded" or
    "not graded"; "reason" in words for the latter; "notes"; and "questions" in their order, each a
    dictionary with "id", "heading", "points" (None for a written answer), "of", "message",
    "answers" (what was handed in) and "written" (the text, for a written answer).
    """
    outcome = {"status": "not graded", "reason": "", "notes": [], "questions": []}
    # short, for the path of a socket must be
    with tempfile.TemporaryDirectory(prefix="lr-grade-", ignore_cleanup_errors=True) as folder:
        shared = Path(folder, "s")
        shared.mkdir()
        shared.chmod(0o777)
        Path(folder, "owner").write_text(str(os.getpid()))
        watch = sandbox.Watch(shared, overhead=2 if in_sandbox else 0, seconds=seconds)
        KernelManager.sockets = zmq.asyncio.Context()
        KernelManager.sockets.setsockopt(zmq.MAXMSGSIZE, 256 * 2**20)
        try:
            graded(outcome, course, template, name, path, Path(folder), watch, in_sandbox)
        except (Ungradable, CourseError, MemoryError) as error:
            outcome["status"] = "not graded"
            outcome["reason"] = watch.reason or str(error) or type(error).__name__
        finally:
            watch.end()
            KernelManager.sockets.destroy(linger=0)
    return outcome


def graded(outcome, course, template, name, path, folder, watch, in_sandbox):
    released = released_cells(template, name)
    notebook = read_notebook(text_of(Path(path).read_bytes()))
    outcome["notes"], lost = restore(notebook, released)

    copy = folder / "course"
    (copy / "source" / name).mkdir(parents=True)
    shutil.copy(Path(template, "gradebook.db"), copy)
    submitted = copy / "submitted" / STUDENT / name / f"{name}.ipynb"
    submitted.parent.mkdir(parents=True)
    submitted.write_text(nbformat.writes(notebook), encoding="utf-8")

    shared = str(watch.shared)
    KernelManager.shared = shared
    if in_sandbox:
        KernelManager.wrap = lambda _, command, file: sandbox.wrap(command, shared, file)
    else:
        KernelManager.wrap = lambda _, command, file: sandbox.launch(command, file)
    SandboxedExecute.watch = watch
    SandboxedExecute.helpers = setup_of(released)
    SandboxedExecute.skipped = []
    watch.start()

    config = settings(course, copy)
    steps = list(Autograde.autograde_preprocessors.default_args[0])
    steps.remove(CheckCellMetadata)  # it is slow, and has checked the same notebook before
    steps[steps.index(Execute)] = SandboxedExecute
    config.Autograde.autograde_preprocessors = steps
    config.SandboxedExecute = config.Execute
    try:
        run_nbgrader(Autograde, config, name)
    except CourseError as error:
        where = SandboxedExecute.progress
        if watch.reason:
            raise Ungradable(f"{watch.reason} ({where})") from None
        if "CellTimeoutError" in str(error):
            raise Ungradable(f"it ran too long and could not be interrupted ({where})") from None
        if "DeadKernelError" in str(error) or "Kernel died" in str(error):
            raise Ungradable(f"its Python process ended by itself or was ended ({where})") from None
        raise
    if watch.reason:
        raise Ungradable(watch.reason)
    if SandboxedExecute.suspicious:
        raise Ungradable("it changes how checks run: a check that must fail did not")
    done = nbformat.read(copy / "autograded" / STUDENT / name / f"{name}.ipynb", as_version=4)
    outcome["notes"] += told_by(done, SandboxedExecute.skipped)
    outcome["questions"] = questions(copy, name, done, released, lost)
    outcome["status"] = "graded"


def told_by(notebook, skipped):
    """Notes on the cells that ran out of time, found no time, or could not import."""
    late, missing = [], []
    for number, cell in enumerate(notebook.cells, start=1):
        where = cell.metadata.get("nbgrader", {}).get("grade_id") or f"cell {number}"
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename == "CellTimeoutError":
                late.append(where)
            if output.output_type == "error" and output.ename in IMPORT_ERRORS:
                missing.append(f"{where} ({printable(str(output.evalue))[:MESSAGE]})")
    told = {"out of time": late, "not run, out of time": skipped, "could not import": missing}
    return [f"{what}: {', '.join(cells)}" for what, cells in told.items() if cells]


def setup_of(released):
    """Source of the first cell, which holds the imports and what the checks use."""
    if not released[0].cell.metadata.nbgrader["locked"] or released[0].is_test:
        raise CourseError(f"{released[0].grade_id}: a problem set begins with a locked set-up cell")
    return released[0].cell.source


def questions(copy, name, done, released, lost):
    """One dictionary for each cell with points, from nbgrader's gradebook.

    `lost` are the answers that were not found: a person has to look for those written in words.
    """
    with Gradebook(f"sqlite:///{copy}/gradebook.db") as gradebook:
        grades = gradebook.find_submission(name, STUDENT).notebooks[0].grades
        scores = {grade.name: (grade.auto_score, grade.max_score) for grade in grades}
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in done.cells}
    stubs = {r.grade_id: r.cell.source.strip() for r in released}
    found = []
    answers = []
    for r in released:
        cell = cells[r.grade_id]
        if r.is_answer:
            answers.append({"source": cell.source, "output": shown(cell)})
        if r.grade_id not in scores:
            continue
        points, most = scores[r.grade_id]
        question = {"id": r.grade_id, "heading": r.heading, "of": most, "answers": answers}
        if r.is_answer:
            written = NOT_FOUND if r.grade_id in lost else cell.source
            untouched = written.strip() in ("", stubs[r.grade_id])
            question |= {
                "points": 0.0 if untouched else None,
                "message": "not answered" if untouched else "",
                "written": "" if untouched else written,
            }
        else:
            if points is None:
                raise Ungradable(f"nbgrader gave no points for {r.grade_id}")
            question |= {"points": points, "message": message(cell), "written": ""}
        found.append(question)
        answers = []
    return found


def message(cell):
    """What a check that failed has to say, without its source."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if not errors:
        return ""
    name, value = str(errors[-1].ename), printable(str(errors[-1].evalue))
    if name == "CellTimeoutError":
        return "took too long: an endless loop?"
    if name == "AssertionError":
        return value[:MESSAGE] or "a check failed"
    return f"{name}: {value}"[:MESSAGE]


def printable(text):
    """Without a terminal's colours, and without what cannot be written as UTF-8."""
    return ESCAPES.sub("", text).encode(errors="replace").decode()


def shown(cell):
    """The text that a cell printed or raised, cut to a readable length."""
    text = ""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            text += output.text
        elif output.output_type == "error":
            text += f"{output.ename}: {output.evalue}\n"
        else:
            text += str(output.get("data", {}).get("text/plain", "")) + "\n"
    text = printable(text)
    return text if len(text) <= SHOWN else text[:SHOWN] + "\n... (cut)"


def run_alone(send, *arguments):
    """`grade`, as the only work of a process: the outcome is sent through the pipe `send`."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end with the batch
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the batch's to handle
    resource.setrlimit(resource.RLIMIT_DATA, (OWN_MEMORY, resource.RLIM_INFINITY))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    try:
        send.send(grade(*arguments))
    except BaseException as error:  # whatever it is, it is this student's row and no other's
        send.send({"status": "not graded", "reason": f"the grader failed: {error!r}"[:MESSAGE],
                   "notes": [], "questions": []})  # fmt: skip
    send.close()
    os._exit(0)
