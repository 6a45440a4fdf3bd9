"""The recipe of the container that grades: what can be told without a program to build it."""

import ast
import os
import re
import shlex
import subprocess
import sys
from importlib import metadata

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from classroom import sandbox
from classroom.course import COURSE, problem_sets

# As the notebooks call them: what they say a student may import.
PROMISED = {
    "PyTorch": "torch",
    "NumPy": "numpy",
    "SciPy": "scipy",
    "pandas": "pandas",
    "Matplotlib": "matplotlib",
    "scikit-learn": "scikit-learn",
}


@pytest.fixture(scope="module")
def recipe(root):
    """The instructions of the Dockerfile: the word, and what follows it in one line."""
    text = (root / "classroom" / "Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def copied(root, recipe):
    """Pairs of a file and where in the container it lies, of all that is copied.

    It is what git knows, and new files that it does not ignore, less what .dockerignore names.
    """
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=root, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git repository")
    files = [path for path in done.stdout.splitlines() if (root / path).is_file()]
    pairs = []
    for *sources, target in (text.split() for word, text in recipe if word == "COPY"):
        for source in sources:
            inside = [path for path in files if holds(source, path) and not left_out(root, path)]
            assert inside, f"COPY {source} finds nothing"
            folder = source if (root / source).is_dir() else os.path.dirname(source)
            pairs += [(path, os.path.join(target, os.path.relpath(path, folder or ".")))
                      for path in inside]  # fmt: skip
    return pairs


@pytest.fixture(scope="module")
def container(root, copied, tmp_path_factory):
    """A folder that holds what the container holds in /opt/course."""
    top = tmp_path_factory.mktemp("container")
    for path, target in copied:
        target = top / os.path.relpath(target, "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((root / path).read_bytes())
    return top / "opt" / "course"


def holds(pattern, path):
    """Whether a pattern of Docker names `path` or a folder above it."""
    parts = [{"**/": "(.*/)?", "**": ".*", "*": "[^/]*"}.get(x, re.escape(x))
             for x in re.split(r"(\*\*/|\*\*|\*)", pattern)]  # fmt: skip
    return re.fullmatch("".join(parts) + "(/.*)?", path) is not None


def left_out(root, path):
    """Whether .dockerignore leaves `path` out: the last line that names it counts."""
    out = False
    for line in (root / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and holds(line.lstrip("!"), path):
            out = not line.startswith("!")
    return out


def installed(recipe):
    """Names of the packages that the recipe has pip install, and of what these need."""
    (command,) = [text for word, text in recipe if word == "RUN" and "pip install" in text]
    words = shlex.split(command.partition("pip install")[2])
    at = words.index("--constraint")
    assert words[at + 1] == "/opt/course/requirements.txt"
    named = {word for word in words[:at] + words[at + 2 :] if not word.startswith("-")}
    found, todo = set(), {canonicalize_name(name) for name in named}
    while todo:
        name = todo.pop()
        found.add(name)
        for line in metadata.requires(name) or []:
            needed = Requirement(line)
            if not needed.marker or needed.marker.evaluate({"extra": ""}):
                todo.add(canonicalize_name(needed.name))
        todo -= found
    return named, found


def imports(source):
    """Top names of the modules that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_students_work_and_all_that_is_large_stays_out(root, copied):
    wanted = "requirements.txt", "lrcore/files.py", "classroom/feedback.html", "classroom/worker.py"
    for path in (*wanted, "assignments/source/ps1/ps1.ipynb"):
        assert not left_out(root, path), path
    for path in (
        ".git/config", ".venv/bin/python", ".venv-colab/x", "_build/html/index.html",
        "collected/Ada/ps1.ipynb", "collected-grades/gradebook.csv", "students.csv", "tests/x.py",
        "assignments/submitted/ada/ps1/ps1.ipynb", "assignments/gradebook.db", "results/row.json",
        "classroom/__pycache__/x.pyc", "assignments/source/ps1/.ipynb_checkpoints/ps1.ipynb",
    ):  # fmt: skip
        assert left_out(root, path), path
    assert sum((root / path).stat().st_size for path, _ in copied) < 2**20


def test_what_is_copied_grades(container, tmp_path):
    """The package runs from the copies alone, and finds its problem sets."""
    for name in ("random.py", "classroom.py"):  # of the folder of the class, nothing is imported
        (tmp_path / name).write_text("raise SystemExit('a file of the class was imported')")
    code = """
import os, sys
sys.path.pop(0)  # the folder that it runs in: what -P does, since Python 3.11
import classroom.__main__
from classroom import course, report
print(*course.problem_sets(), len(course.settings(course.COURSE, ".")) > 1)
for name, module in sorted(sys.modules.items()):
    if name.partition(".")[0] in ("classroom", "lrcore"):
        assert module.__file__.startswith(os.environ["PYTHONPATH"]), module.__file__
"""
    variables = os.environ | {"PYTHONPATH": str(container)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=variables,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [*problem_sets(), "True"]


def test_it_installs_what_grading_imports_and_what_students_are_promised(root, recipe, container):
    named, found = installed(recipe)
    pinned = set(re.findall(r"^([\w.-]+)==", (root / "requirements.txt").read_text(), re.MULTILINE))
    assert named <= pinned

    used = set(imports(sandbox.PROBE)) | {"ipykernel"}
    for path in container.rglob("classroom/*.py"):
        used |= set(imports(path.read_text(encoding="utf-8")))
    for name in problem_sets():
        cells = nbformat.read(COURSE / "source" / name / f"{name}.ipynb", as_version=4).cells
        for cell in cells:
            if cell.cell_type == "code":
                used |= set(imports(cell.source))
        text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
        assert [word for word in PROMISED if word not in text] == [], name
    assert set(PROMISED.values()) <= named

    owners = metadata.packages_distributions()
    for name in used - set(sys.stdlib_module_names) - {"classroom", "lrcore"}:
        assert found & set(map(canonicalize_name, owners[name])), f"{name} is not installed"


def test_the_grader_is_an_ordinary_user_and_needs_few_rights(root, recipe):
    """And the two commands of the teacher's guide, for two shells, are one."""
    assert dict(recipe)["USER"] == "1000:1000"
    assert "://" not in (root / "classroom" / "Dockerfile").read_text()
    guide = (root / "chapters" / "teaching.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(docker run .+?)\n```$", guide, re.MULTILINE | re.DOTALL)
    commands = {shell: re.sub(r"[\\`]\n", "", text) for shell, text in blocks}
    words = shlex.split(commands["sh"].replace("$PWD", "${PWD}"))
    assert words == shlex.split(commands["powershell"])
    options = [words[i + 1] for i, word in enumerate(words) if word == "--security-opt"]
    assert options == ["no-new-privileges", "seccomp=unconfined", "systempaths=unconfined"]
    assert words[words.index("--cap-drop") + 1] == "ALL"
    assert not {"--privileged", "--cap-add", "--user"} & set(words)
    assert "docker build -t lr-classroom" in guide and words[-3] == "lr-classroom"
