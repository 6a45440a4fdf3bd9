"""What is installed: the wheel of lrcore, the pins of the book, and from where."""

import ast
import graphlib
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lrcore.cifar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# package, extras and version in one line of requirements.txt; then perhaps a marker
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([A-Za-z0-9.!]+)( ; .+)?$")


def pins(root):
    lines = (root / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    """The wheel of lrcore, built from a copy of what it needs."""
    folder = tmp_path_factory.mktemp("package")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "lrcore", folder / "lrcore", ignore=ignored)
    (folder / "chapters").mkdir()
    (folder / "chapters" / "stray.py").write_text("")
    build = "from flit_core import buildapi; buildapi.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=folder, check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


def test_the_wheel_holds_lrcore_and_nothing_else(wheel, root):
    info = f"lrcore-{lrcore.__version__}.dist-info/"
    held = {name for name in wheel.namelist() if not name.startswith(info)}
    kinds = {".py", ".js", ".css", ".jpg", ".json", ".jsonl"}
    sources = (path for path in (root / "lrcore").rglob("*") if path.suffix in kinds)
    assert held == {path.relative_to(root).as_posix() for path in sources}


def test_the_wheel_brings_the_sample_of_cifar10(wheel, root):
    assert wheel.read("lrcore/cifar/sample.jpg") == (root / "lrcore/cifar/sample.jpg").read_bytes()


def test_lrcore_does_not_load_what_only_the_comparison_needs(root):
    """Every chapter imports lrcore, and not every course has these packages."""
    loaded = "import sys, lrcore; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", loaded], cwd=root, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "lrcore.toy" in modules
    unwanted = {"lrcore.cifar", "pooch", "pandas", "scipy", "fastjsonschema", "filelock", "ray"}
    unwanted |= {"torch", "matplotlib", "ipywidgets"}  # they take seconds, and have to be asked for
    assert not unwanted & set(modules)


def test_the_wheel_names_its_licence_and_its_python(wheel):
    metadata = wheel.read(f"lrcore-{lrcore.__version__}.dist-info/METADATA").decode()
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nRequires-Python: >=3.10\n" in metadata
    assert any(name.endswith("LICENSE") for name in wheel.namelist())


def asked_for(project):
    """All that lrcore needs, extras and all, but for an extra that names another."""
    texts = project["dependencies"] + sum(project["optional-dependencies"].values(), [])
    return [Requirement(text) for text in texts if Requirement(text).name != "lrcore"]


def test_lrcore_asks_for_lower_bounds_alone(project):
    for requirement in asked_for(project):
        operators = {bound.operator for bound in requirement.specifier}
        assert operators == {">="}, requirement


def imports_of(path, modules=()):
    """What a file imports, at its top or inside of its functions, by full name.

    A name that comes out of a module stands for the module, unless it is one of `modules` itself.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a module is imported by its full name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in modules else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def packages_of(path):
    """The packages of others that a file imports, by the names they are imported by."""
    found = {name.partition(".")[0] for name in imports_of(path)}
    return found - sys.stdlib_module_names - {"lrcore"}


# The extras that a part of lrcore may ask for, by its path; the last that fits counts.
EXTRAS = {
    "": [],
    "explorer/page.py": ["static"],
    "cifar/": ["cifar"],
    "cifar/cluster.py": ["cifar", "cluster"],
}


def test_lrcore_declares_all_that_it_imports(root, project):
    """That another package brings it today is luck."""
    distributions = packages_distributions()
    missing = []
    for path in sorted((root / "lrcore").rglob("*.py")):
        place = path.relative_to(root / "lrcore").as_posix()
        extras = [extras for start, extras in EXTRAS.items() if place.startswith(start)][-1]
        texts = project["dependencies"] + sum(map(project["optional-dependencies"].get, extras), [])
        declared = {canonicalize_name(Requirement(text).name) for text in texts}
        for name in sorted(packages_of(path)):
            if not declared & set(map(canonicalize_name, distributions.get(name, []))):
                missing.append(f"{place} imports {name}")
    assert not missing


def test_the_extra_of_the_comparison_is_what_it_imports(root, project):
    extra = {Requirement(text).name for text in project["optional-dependencies"]["cifar"]}
    used = set().union(*map(packages_of, (root / "lrcore" / "cifar").glob("*.py")))
    used -= {"torch", "matplotlib", "ray"}  # lrcore itself needs two, ray is an extra of its own
    assert {"Pillow" if name == "PIL" else name for name in used} == extra
    assert set(lrcore.cifar.NEEDED) < extra


def test_every_requirement_is_pinned(root):
    wrong = [line for line in pins(root) if not PIN.match(line)]
    assert not wrong
    pinned = {canonicalize_name(PIN.match(line)[1]) for line in pins(root)}
    wanted = [line.split("#")[0] for line in (root / "requirements.in").read_text().splitlines()]
    wanted = [Requirement(line) for line in wanted if line.strip()]
    assert len(wanted) > 10
    missing = [r.name for r in wanted if canonicalize_name(r.name) not in pinned]
    assert not missing


def test_the_pins_fit_the_requirements(root, project):
    bounds = [line.split("#")[0] for line in (root / "requirements.in").read_text().splitlines()]
    bounds = [Requirement(line) for line in bounds if line.strip()]
    bounds += asked_for(project)
    for bound in bounds:
        for line in pins(root):
            name, version, _ = PIN.match(line).groups()
            if canonicalize_name(name) == canonicalize_name(bound.name):
                assert bound.specifier.contains(version), f"{line} does not fit {bound}"


def test_no_build_of_torch_is_forced_on_anyone(root):
    """A CPU build must satisfy the pins, and bring none of CUDA's libraries."""
    assert "torch==2.13.0" in pins(root)
    assert not [line for line in pins(root) if re.match(r"nvidia|cuda|triton", line)]


def test_nothing_says_where_to_download_from(root):
    """Which registry or mirror to use is the reader's own setting."""
    build = ["Makefile", "pyproject.toml", "requirements.in", "requirements.txt", ".ci/run"]
    build += ["requirements-colab.in", "requirements-colab.txt"]
    files = [root / name for name in build]
    for folder in ("tools", "book", "book/static", "classroom", ".github/workflows", "chapters"):
        files += root.glob(f"{folder}/*")
    option = re.compile(r"--(extra-)?index-url|--find-links|--trusted-host|\bindex-url\b")
    for path in files:
        if path.is_file():
            assert not option.search(path.read_text()), path.name
    for name in ("requirements.in", "requirements.txt", "requirements-colab.txt"):
        assert "://" not in (root / name).read_text()


def test_no_modules_import_each_other_in_a_circle(root):
    """Not even hidden, by an import inside a function."""
    files = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for house in ("lrcore", "classroom", "book")
        for path in (root / house).rglob("*.py")
    }
    assert {"lrcore.cifar", "lrcore.cifar.cluster", "lrcore.explorer.page"} < files.keys()
    graph = {name: {*imports_of(path, files)} & files.keys() for name, path in files.items()}
    assert "lrcore.cifar.cluster" in graph["lrcore.cifar.comparison"]
    assert [*graphlib.TopologicalSorter(graph).static_order()]  # raises CycleError
