"""Grade one submission. Runs in a process of its own, outside of the sandbox.

The kernel, and so all code of the student, runs inside: `kernel`. What the answers give comes out
as plain values and is compared here: `checks`. The result is a dictionary, ready to be written as
JSON: see `grade`.
"""

import builtins
import ctypes
import os
import re
import resource
import signal
import time
from pathlib import Path

import nbformat

from classroom import sandbox
from classroom.checks import MESSAGE, judge, teachers
from classroom.course import released_cells, released_notebook, settings
from classroom.files import text_of
from classroom.kernel import IMPORT_ERRORS, OUT_OF_TIME, Kernels, Stopped
from classroom.restore import Ungradable, read_notebook, restore

SHOWN = 2000  # characters of an output that the feedback shows
OWN_MEMORY = 4 * 2**30  # bytes, of the process that talks to the kernel
NOT_FOUND = "(The cell of this answer was not found: look into the notebook.)"
OPEN = "NotImplementedError"  # what the stub of an answer raises
ENDLESS = "took too long: an endless loop?"
NUMBER = re.compile(r"[\w.@-]{1,40}")
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")  # colours of a terminal
WITH_REFERENCE = "right, with a correct answer to {} in place of yours"
ELSEWHERE = "(The cell of this answer is as it was handed out. Written in other cells:)"
ENOUGH = 30  # seconds that must be left to run a notebook once more
WORDS = 10  # that a text in another cell has at least, to be taken for an answer


def grade(course, template, name, path, in_sandbox=True, seconds=sandbox.SECONDS):
    """Grade the notebook at `path` as problem set `name`; return the outcome.

    `template` is a folder made by `course.build`. The outcome has "status", "graded" or
    "not graded"; "reason" in words for the latter; "notes"; "numbers", the student numbers (it
    should be one) in a notebook that asks for them; and "questions" in their order, each a
    dictionary with "id", "heading", "points" (None for a written answer), "of", "message",
    "answers" (what was handed in), "written" (the text, for a written answer) and "rubric".
    """
    outcome = nothing("")
    try:
        released = released_cells(template, name)
        notebook = read_notebook(text_of(Path(path).read_bytes()))
        outcome["notes"], lost = restore(notebook, released)
        cell_seconds = settings(course, template).Execute.timeout
        with Kernels(in_sandbox, seconds, cell_seconds) as kernels:
            graded = Graded(course, name, notebook, released, kernels)
            graded.texts = added_texts(notebook, template, name)
            graded.run()
            graded.try_again()
        outcome["notes"] += graded.notes
        outcome["numbers"] = graded.numbers
        outcome["asks_number"] = any(map(asks_number, graded.teachers.checks))
        if not any(map(graded.is_written, graded.teachers.answers)):
            outcome["notes"].append("no answer in code was written")
        outcome["questions"] = questions(graded, lost)
        outcome["status"] = "graded"
    except (Ungradable, Stopped, MemoryError) as error:
        outcome["reason"] = str(error) or type(error).__name__
    return outcome


def nothing(reason):
    """The outcome of what is not graded, so far."""
    return {"status": "not graded", "reason": reason, "notes": [], "numbers": [], "questions": []}


class Graded:
    """A submission that is graded: its notebook, and what each check said."""

    def __init__(self, course, name, notebook, released, kernels):
        self.teachers = teachers(course, name)
        self.judge = judge(course, name)
        self.notebook = notebook
        self.released = released
        self.kernels = kernels
        self.texts = []  # what the student wrote in cells of their own
        self.notes = []
        self.numbers = []  # student numbers that the student's own numbers are made from
        self.outputs = {}  # what each answer printed, by grade_id
        self.broken = {}  # the error that its cell ended with, or None
        self.results = {}  # (whether it is right, message) of each check, by grade_id

    def run(self):
        """Run the whole notebook, then the checks; once more without a cell that ends it all.

        Only one that the student added, such as a last `exit()`, can be left out. Raises Stopped.
        """
        try:
            self.run_all()
        except Stopped as stopped:
            if not stopped.added or time.monotonic() > self.kernels.until - ENOUGH:
                raise
            self.notebook.cells[stopped.added - 1] = nbformat.v4.new_markdown_cell("")
            self.run_all()
            self.notes.append(f"cell left out: {stopped}")

    def run_all(self):
        """Run the whole notebook, then the checks. Raises Stopped."""
        with self.kernels.running(self.notebook) as run:
            errors = run.run_notebook()
            # before a check runs, for what it is asked must not come to stand among the outputs
            self.notes = told_by(self.notebook, errors, run.skipped)
            for number, cell in enumerate(self.notebook.cells, start=1):
                if cell.metadata.get("nbgrader", {}).get("solution"):
                    grade_id = cell.metadata.nbgrader["grade_id"]
                    self.outputs[grade_id] = shown(cell, errors.get(number))
                    self.broken[grade_id] = errors.get(number)
            # the visible ones first: what they say cannot hold what only a hidden one is asked
            for check in sorted(self.teachers.checks, key=lambda check: check.is_hidden):
                self.results[check.grade_id] = self.result(run, check)

    def result(self, run, check):
        """Whether a check is right, and what it says."""
        got, error = run.probe(check.first, check.grade_id, self.teachers.setup)
        if error and error[0] == "NameError" and self.broken[check.answer]:
            ename, evalue = self.broken[check.answer]
            return False, f"the cell of the answer ends with {ename}: {printable(evalue)}"[:MESSAGE]
        if error:
            return False, told(*error, check.is_hidden)
        if asks_number(check):
            number = "".join(str(got[0]).split()) if isinstance(got, list) and got else ""
            if NUMBER.fullmatch(number) and number not in self.numbers:
                self.numbers.append(number)
        return self.judge.compare(check, got)

    def try_again(self):
        """Judge each answer that failed by itself: nothing below it, and only right ones above.

        So a slip costs its own points only, and a name that a later cell takes costs none. What
        students see of a failed check stays what their own notebook gave.
        """
        failed = {c.answer for c in self.teachers.checks if not self.results[c.grade_id][0]}
        above = []
        for answer in self.teachers.answers:
            if answer in failed:
                if self.is_written(answer):
                    self.try_answer(answer, above)
                above = [*above, answer]

    def is_written(self, answer):
        """Whether there is more in the cell of an answer than the stub."""
        stub = next(r for r in self.released if r.grade_id == answer)
        return not stub.is_untouched(self.notebook.cells[self.place(answer)].source)

    def place(self, grade_id):
        return next(place for place, cell in enumerate(self.notebook.cells)
                    if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)  # fmt: skip

    def try_answer(self, answer, replaced):
        """Run the cells as far as the checks of `answer`, with the reference for those `replaced`.

        Points that are earned so are noted in `results`.
        """
        failed = [c for c in self.teachers.checks
                  if c.answer == answer and not self.results[c.grade_id][0]]  # fmt: skip
        if all(self.results[c.grade_id][1] == ENDLESS for c in failed):
            return
        notebook = nbformat.v4.new_notebook()
        for cell in self.notebook.cells[: self.place(failed[-1].grade_id)]:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            copy = nbformat.from_dict(cell)
            if grade_id in replaced:
                copy.source = self.teachers.answers[grade_id]
            notebook.cells.append(copy)
        said = WITH_REFERENCE.format(", ".join(replaced)) if replaced else "right"
        try:
            with self.kernels.running(notebook) as run:
                run.run_notebook()
                for check in failed:
                    if self.result(run, check)[0]:
                        self.results[check.grade_id] = True, said
        except Stopped:
            pass  # what was earned stays


def asks_number(check):
    """Whether the first value of a check is the student number that its numbers are made from."""
    return "student_number()" in check.first


def added_texts(notebook, template, name):
    """The texts of some length that a student wrote into cells of their own."""
    handed_out = released_notebook(template, name)
    known = {tuple(cell.source.split()) for cell in handed_out.cells}
    return [
        cell.source for cell in notebook.cells
        if cell.cell_type == "markdown" and "nbgrader" not in cell.metadata
        and tuple(cell.source.split()) not in known and len(cell.source.split()) >= WORDS
    ]  # fmt: skip


def told(ename, evalue, is_hidden):
    """What the page says of a check that ended with an error.

    The text of an error belongs to the student's code, which could put a hidden check into it.
    """
    if ename == OPEN:
        return "open"
    if ename == OUT_OF_TIME:
        return ENDLESS
    if is_hidden:
        known = ename if hasattr(builtins, ename) else "an error"
        return f"ended with {known}, with numbers that are not shown"
    return f"{ename}: {printable(evalue)}"[:MESSAGE]


def told_by(notebook, errors, skipped):
    """Notes on the cells that ran out of time, found no time, or could not import."""
    late, missing = [], []
    for number, (ename, evalue) in errors.items():
        cell = notebook.cells[number - 1]
        where = cell.metadata.get("nbgrader", {}).get("grade_id") or f"cell {number}"
        if ename == OUT_OF_TIME:
            late.append(where)
        if ename in IMPORT_ERRORS:
            missing.append(f"{where} ({printable(evalue)[:MESSAGE]})")
    told = {"out of time": late, "not run, out of time": skipped, "could not import": missing}
    return [f"{what}: {', '.join(cells)}" for what, cells in told.items() if cells]


def questions(graded, lost):
    """One dictionary for each cell with points.

    `lost` are the answers that were not found: a person has to look for those written in words.
    """
    found = []
    answers = []
    for r in graded.released:
        data = r.cell.metadata.nbgrader
        if r.is_answer:
            source = graded.notebook.cells[graded.place(r.grade_id)].source
            answers.append({"source": source, "output": graded.outputs[r.grade_id]})
        if not data["grade"]:
            continue
        most = data["points"]
        question = {"id": r.grade_id, "heading": r.heading, "of": most, "answers": answers}
        if r.is_answer:
            written = NOT_FOUND if r.grade_id in lost else source
            untouched = r.is_untouched(written)
            if untouched and graded.texts:
                written, untouched = "\n\n".join([ELSEWHERE, *graded.texts]), False
            question |= {
                "points": 0.0 if untouched else None,
                "message": "not answered" if untouched else "",
                "written": "" if untouched else written,
                "rubric": graded.teachers.rubrics[r.grade_id],
            }
        else:
            right, message = graded.results[r.grade_id]
            question |= {"points": most * right, "message": message, "written": "", "rubric": []}
        found.append(question)
        answers = []
    return found


def printable(text):
    """Without a terminal's colours, and without what cannot be written as UTF-8."""
    return ESCAPES.sub("", text).encode(errors="replace").decode()


def shown(cell, error):
    """The text that a cell printed or raised, cut to a readable length."""
    text = ""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            text += output.text
        elif output.output_type != "error":
            text += str(output.get("data", {}).get("text/plain", "")) + "\n"
    if error:
        text += f"{error[0]}: {error[1]}\n"
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
        send.send(nothing(f"the grader failed: {error!r}"[:MESSAGE]))
    send.close()
    os._exit(0)
