"""The course: its problem sets, and the student versions that nbgrader makes of them."""

import ast
import hashlib
import io
import logging
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from alembic.script import ScriptDirectory
from nbgrader import api, dbutil
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config, PyFileConfigLoader

from classroom.files import replace_folder

COURSE = Path(__file__).resolve().parents[1] / "assignments"
STUDENT = "student"  # each graded copy of the course knows one student, called this
# What must not be in a student version. (nbgrader takes the lines between such marks away.)
TEACHERS_ONLY = ("### BEGIN", "### END")

# A new gradebook notes its version. nbgrader asks the command alembic for it, which takes seconds.
api.get_alembic_version = ScriptDirectory(dbutil.ALEMBIC_DIR).get_current_head


class CourseError(Exception):
    """The course or a command is not as it should be: the message says what."""


def problem_sets(course=COURSE):
    """Names of the problem sets: the folders of source/ that hold a notebook of their own name."""
    names = sorted(path.stem for path in Path(course).glob("source/*/*.ipynb")
                   if path.stem == path.parent.name)  # fmt: skip
    if not names:
        raise CourseError(f"no problem set source/NAME/NAME.ipynb in {course}")
    return names


def fingerprint(course, name):
    """Changes when the problem set or the settings change: then all is graded anew."""
    digest = hashlib.sha256()
    sources = sorted(Path(course, "source", name).rglob("*"))
    for path in [Path(course, "nbgrader_config.py"), *sources]:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def settings(course, folder):
    """nbgrader's configuration, for a copy of the course in `folder`."""
    config = Config(PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config())
    config.CourseDirectory.root = str(folder)
    return config


def run_nbgrader(converter, config, name):
    """Run one of nbgrader's converters on one problem set.

    Returns its log. Raises CourseError with the end of the log if it fails.
    """
    config = Config(config)
    config.CourseDirectory.assignment_id = name
    config.CourseDirectory.student_id = STUDENT
    log = logging.getLogger(f"classroom.{name}")
    log.propagate = False
    log.setLevel(logging.INFO)
    text = io.StringIO()
    log.handlers = [logging.StreamHandler(text)]
    course = CourseDirectory(config=config)
    app = converter(coursedir=course, config=config)
    app.log = course.log = log
    try:
        app.start()
    except (Exception, SystemExit) as error:  # nbgrader ends the program on some errors
        told = (text.getvalue().strip() or repr(error)).splitlines()
        raise CourseError(f"nbgrader failed on {name}: " + "\n".join(told[-20:])) from error
    return text.getvalue()


def build(course, names, folder):
    """Make a copy of the course in `folder` with a gradebook and the student versions.

    They are in release/NAME/NAME.ipynb. Raises CourseError if nbgrader refuses a notebook.
    """
    for name in names:
        shutil.copytree(Path(course, "source", name), Path(folder, "source", name))
        run_nbgrader(GenerateAssignment, settings(course, folder), name)
        text = Path(folder, "release", name, f"{name}.ipynb").read_text(encoding="utf-8")
        left = [mark for mark in TEACHERS_ONLY if mark in text]
        if left:
            raise CourseError(f"{name}: the student version still holds {left}")


def release(target, course=COURSE):
    """Write the student versions, NAME.ipynb, to the folder `target`: all of them or none."""
    target = Path(target).resolve()
    names = problem_sets(course)
    own = {f"{name}.ipynb" for name in names} | {".ipynb_checkpoints"}
    strange = [path.name for path in target.glob("*") if path.name not in own]
    if strange:
        raise CourseError(f"{target} holds other things ({strange[0]}): name an empty folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".release.", dir=target.parent) as folder:
        build(course, names, Path(folder, "course"))
        new = Path(folder, "new")
        new.mkdir()
        for name in names:
            shutil.copy(Path(folder, "course", "release", name, f"{name}.ipynb"), new)
        replace_folder(new, target)
    return [target / f"{name}.ipynb" for name in names]


@dataclass
class ReleasedCell:
    """A cell of a student version that nbgrader knows."""

    grade_id: str
    cell: nbformat.NotebookNode
    heading: str  # the last second-level heading above it
    defines: frozenset  # names of the functions and classes that it begins

    @property
    def is_answer(self):
        return self.cell.metadata.nbgrader["solution"]

    def is_untouched(self, source):
        """Whether a cell with this source is empty, or as it was handed out."""
        return source.split() in ([], self.cell.source.split())


def released_notebook(folder, name):
    """The student version that `build` made in `folder`."""
    return nbformat.read(Path(folder, "release", name, f"{name}.ipynb"), as_version=4)


def released_cells(folder, name):
    """The cells of a student version that nbgrader knows, in their order."""
    heading = ""
    found = []
    for cell in released_notebook(folder, name).cells:
        if cell.cell_type == "markdown":
            titles = re.findall(r"^## +(.+?) *$", cell.source, re.MULTILINE)
            heading = titles[-1] if titles else heading
        data = cell.metadata.get("nbgrader")
        if data:
            found.append(ReleasedCell(data["grade_id"], cell, heading, defined(cell)))
    return found


def defined(cell):
    """Names of the functions and classes that a code cell defines at its top level."""
    if cell.cell_type != "code":
        return frozenset()
    body = statements(cell.source)
    if body is None:
        return frozenset(re.findall(r"^(?:def|class) +(\w+)", cell.source, re.MULTILINE))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return frozenset(node.name for node in body if isinstance(node, kinds))


def pieces(source, kinds):
    """The statements of these kinds at the top level of a student's code, each as a text."""
    return [ast.unparse(x) for x in statements(source) or () if isinstance(x, kinds)]


def statements(source):
    """The statements at the top level of a student's code, without magics; None if it is broken."""
    plain = re.sub(r"^( *)[%!].*", r"\1pass", source, flags=re.MULTILINE)
    try:
        return ast.parse(plain).body
    except (SyntaxError, SystemError, ValueError, RecursionError, MemoryError):
        return None
