"""tools/repository.py: one address everywhere, and a set-up cell that keeps its hands off."""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
import repository
import yaml
from conftest import ROOT
from repository import Address, changes, checked, configured, set_up

NEW = Address("https://github.com/some-one/lr.book", "v2/next")


@pytest.fixture
def book(tmp_path):
    """A copy of the files that name the repository, with two of the notebooks."""
    for name in ("_config.yml", "README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "chapters").mkdir()
    for name in ("step_lr.ipynb", "glossary.ipynb"):
        shutil.copy(ROOT / "chapters" / name, tmp_path / "chapters")
    shutil.copy(ROOT / "chapters" / "teaching.md", tmp_path / "chapters")
    for name in ("source/ps1", "handouts"):
        (tmp_path / "assignments" / name).mkdir(parents=True)
        shutil.copy(ROOT / "assignments" / name / "ps1.ipynb", tmp_path / "assignments" / name)
    return tmp_path


def texts(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_file_names_the_configured_repository():
    wrong = [str(path.relative_to(ROOT)) for path in changes(configured())]
    assert not wrong, "these disagree with _config.yml (run make repository): " + ", ".join(wrong)


def test_every_place_that_should_name_it_does():
    """The check above is about what it finds: these must be there to be found."""
    address = configured()
    assert f"git clone {address.url}" in (ROOT / "README.md").read_text()
    assert address.in_colab + "chapters/index.ipynb" in (ROOT / "README.md").read_text()
    assert f"repository-code: {address.url}" in (ROOT / "CITATION.cff").read_text()
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        text = path.read_text()
        assert text.count(f"git+{address.url}@{address.branch}") == ('"code"' in text), path.name
    for path in sorted((ROOT / "assignments" / "handouts").glob("*.ipynb")):
        text = path.read_text()
        assert f"{address.in_colab}assignments/handouts/{path.name}" in text
        assert text.count(address.in_colab + "chapters/") >= text.count("## Exercise ") - 1
        guide = (ROOT / "chapters" / "teaching.md").read_text()
        assert f"{address.in_colab}assignments/handouts/{path.name}" in guide


def test_the_old_address_is_gone_from_every_file(book, capsys):
    repository.main([NEW.url, NEW.branch], book)
    assert configured(book) == NEW
    old = configured()
    for path, text in texts(book).items():
        name = old.url.removeprefix("https://github.com/").encode()
        assert name not in text, path.name
    readme = (book / "README.md").read_text()
    assert "https://colab.research.google.com/github/some-one/lr.book/blob/v2/next/chap" in readme
    assert f'"git+{NEW.url}@{NEW.branch}\\"' in (book / "chapters/step_lr.ipynb").read_text()
    said = capsys.readouterr().out
    assert "wrote README.md" in said and "glossary" not in said  # it has no code


def test_running_it_again_changes_nothing(book):
    repository.main([NEW.url, NEW.branch], book)
    once = texts(book)
    repository.main([NEW.url, NEW.branch], book)
    repository.main([], book)
    assert texts(book) == once


def test_back_and_forth_leaves_every_file_as_it_was(book, monkeypatch):
    before = texts(book)
    repository.main([NEW.url, NEW.branch], book)
    assert texts(book) != before
    # the placeholder is not an address that anybody may set
    monkeypatch.setattr(repository, "checked", Address)
    repository.main([*configured()], book)
    assert texts(book) == before


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("README.md", "git clone https://github.com/", "git clone https://github.com/other-"),
        ("README.md", "google.com/github/", "google.com/github/other-"),
        ("CITATION.cff", "github.com/", "github.com/other-"),
        ("chapters/step_lr.ipynb", "git+https://github.com/", "git+https://github.com/other-"),
        ("chapters/step_lr.ipynb", f'@{configured().branch}\\""', '@old\\""'),
        ("chapters/step_lr.ipynb", "--no-deps ", ""),
    ],
)
def test_a_file_that_disagrees_is_found_and_mended(book, place, old, new):
    before = texts(book)
    text = (book / place).read_text()
    assert old in text
    (book / place).write_text(text.replace(old, new, 1))
    assert list(changes(configured(book), book)) == [book / place]
    repository.main([], book)
    assert texts(book) == before


@pytest.mark.parametrize(
    "arguments",
    [
        [""],
        ["github.com/someone/book"],
        ["http://github.com/someone/book"],
        ["https://github.com/someone"],
        ["https://github.com/someone/book/tree/main"],
        ["https://github.com/someone/.."],
        ["https://github.com/_OWNER_/_REPO_"],
        ["https://github.com/-someone/book"],
        ["https://github.com/" + 40 * "a" + "/book"],
        ["https://gitlab.com/someone/book"],
        ["https://github.com.example.org/someone/book"],
        ["https://user:word@github.com/someone/book"],
        ["https://github.com/someone/book\n"],
        ['https://github.com/someone/book"; rm -r x'],
        ["https://github.com/someone/book", ""],
        ["https://github.com/someone/book", "a b"],
        ["https://github.com/someone/book", "-main"],
        ["https://github.com/someone/book", "a..b"],
        ["https://github.com/someone/book", 'main" --upgrade "torch'],
    ],
)
def test_a_bad_address_is_refused_before_anything_is_written(book, arguments):
    before = texts(book)
    named = f"BRANCH={arguments[1]!r}" if len(arguments) > 1 else f"URL={arguments[0]!r}"
    with pytest.raises(SystemExit, match=f"Nothing was written. {re.escape(named)}: allowed "):
        repository.main(arguments, book)
    assert texts(book) == before


def test_a_broken_notebook_is_told_before_anything_is_written(book):
    (book / "chapters" / "z.ipynb").write_text("{")
    before = texts(book)
    with pytest.raises(SystemExit, match=r"Nothing was written. chapters.z\.ipynb: .*JSON"):
        repository.main([*NEW], book)
    assert texts(book) == before


def test_a_notebook_of_an_old_format_is_told(book):
    cells = [nbformat.v4.new_code_cell("1")]
    del cells[0]["id"]
    old = nbformat.v4.new_notebook(cells=cells, nbformat_minor=0)
    (book / "chapters" / "z.ipynb").write_text(json.dumps(old))
    with pytest.raises(SystemExit, match=r"z\.ipynb: its cells have no ids"):
        repository.main([], book)


@pytest.mark.parametrize("branch", ["2026", "1.10", "no", "2026-09-01", "v2/chapters"])
def test_any_branch_is_kept_as_it_is_written(book, branch):
    repository.main([NEW.url, branch], book)
    assert configured(book) == Address(NEW.url, branch)
    once = texts(book)
    repository.main([], book)
    assert texts(book) == once


def test_the_address_is_one_that_may_be_set():
    address = configured()
    assert "/_OWNER_/" in address.url or checked(*address) == address


def test_pages_are_published_with_the_address_of_their_repository(root):
    workflow = yaml.safe_load((root / ".github" / "workflows" / "pages.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["build"]["steps"]]
    github = 'URL="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" BRANCH="$GITHUB_REF_NAME"'
    assert steps.index(f"make repository {github}") < steps.index("make book")


def test_only_a_commit_whose_tests_passed_is_published(root):
    workflows = root / ".github" / "workflows"
    pages, tests = (
        yaml.safe_load((workflows / f"{name}.yml").read_text()) for name in ("pages", "tests")
    )
    (trigger,) = pages[True].items()  # YAML takes "on" for a truth value
    assert trigger[0] == "workflow_run" and trigger[1]["workflows"] == [tests["name"]]
    build = pages["jobs"]["build"]
    assert "workflow_run.conclusion == 'success'" in build["if"]
    assert build["steps"][0]["with"]["ref"] == "${{ github.event.workflow_run.head_sha }}"


def test_every_part_of_make_test_is_a_job(root):
    makefile = (root / "Makefile").read_text()
    parts = re.search(r"^test: (.*?) ##", makefile, re.MULTILINE)[1].split()
    workflow = yaml.safe_load((root / ".github" / "workflows" / "tests.yml").read_text())
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    # style is in every job; the others are made for a part that needs them
    assert set(matrix["part"]) == set(parts) - {"style", "python", "browser", "bubblewrap", "book"}


def test_the_oldest_torch_that_is_allowed_has_a_job(root):
    (oldest,) = re.findall(r'"torch>=(.*)"', (root / "pyproject.toml").read_text())
    workflow = yaml.safe_load((root / ".github" / "workflows" / "tests.yml").read_text())
    job = workflow["jobs"]["torch"]
    assert job["strategy"]["matrix"]["torch"] == [f"torch=={oldest}.*", "torch"]
    tests = job["steps"][-1]["run"].split("-n 2 ")[1].split()
    assert all((root / path).exists() for path in tests) and len(tests) == 4


def test_a_branch_needs_an_address(root):
    command = ["make", "--silent", "--old-file=.venv/.ready", "repository", "BRANCH=dev"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode and "BRANCH=dev needs the URL beside it" in done.stderr


def test_what_a_browser_shows_is_an_address_too():
    assert checked("https://github.com/jane_acme/b").url.endswith("/jane_acme/b")
    for url in ("https://github.com/A/b", "https://github.com/A/b/", "https://github.com/A/b.git"):
        assert checked(url) == Address("https://github.com/A/b", "main")


def test_a_new_notebook_gets_its_cell(book):
    path = book / "chapters" / "new.ipynb"
    cells = [nbformat.v4.new_markdown_cell("# New"), nbformat.v4.new_code_cell("1")]
    result = nbformat.v4.new_output("execute_result", {"text/plain": "1"}, execution_count=1)
    cells[1].update(execution_count=1, outputs=[result])
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    repository.main([], book)
    title, first, second = json.loads(path.read_text())["cells"]
    assert title["source"] == ["# New"]
    assert "".join(first["source"]) == set_up(configured())
    counts = [first["execution_count"], second["execution_count"]]
    assert counts == [1, 2] and second["outputs"][0]["execution_count"] == 2


# --- what the cell does

RECORDER = "import json, sys\nwith open({!r}, 'a') as f: print(json.dumps(sys.argv[1:]), file=f)"


@pytest.fixture
def run_cell(tmp_path):
    """Run the set-up cell in IPython, with a pip that only records; return its calls."""
    record = tmp_path / "calls"
    for name, text in (("pip", RECORDER.format(str(record))), ("google/colab", "")):
        folder = tmp_path / "fakes" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "__main__.py").write_text(text)

    def run(before):
        script = tmp_path / "cell.ipy"
        script.write_text(f"{before}\n{set_up(configured())}\n")
        record.write_text("")
        done = subprocess.run(
            [sys.executable, "-m", "IPython", "--quick", "--colors=NoColor", str(script)],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "fakes")},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0 and not done.stderr, done.stderr
        return done.stdout, [json.loads(line) for line in record.read_text().splitlines()]

    return run


def test_in_colab_it_installs_lrcore_and_nothing_else(run_cell):
    _, calls = run_cell("import google.colab")
    url, branch = configured()
    assert calls == [["install", "-q", "--no-deps", f"git+{url}@{branch}"]]


def test_elsewhere_it_does_nothing(run_cell):
    assert run_cell("") == ("", [])
    # a package of Google's is not Colab
    assert run_cell("import google") == ("", [])
