"""The address of the book's repository: python tools/repository.py [URL [BRANCH]].

It is set in `_config.yml`, and this writes it to every other place that needs it: the set-up cell
of each notebook, the links of the problem sets and to them, README.md and CITATION.cff. A notebook
without a set-up cell gets one. Without a URL the address stays, and the other places are brought in
line with it.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml

from lrcore.files import write_whole

ROOT = Path(__file__).resolve().parent.parent

# What GitHub allows in the name of an account (a company's may hold _) and of a repository.
URL = re.compile(
    r"https://github\.com/[A-Za-z0-9][A-Za-z0-9_-]{0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
)
# A narrow choice among the names that git allows; each is safe in a URL and in a shell.
BRANCH = re.compile(r"[A-Za-z0-9]+(?:[._/-][A-Za-z0-9]+)*")

SET_UP_TAGS = ["remove-cell", "nbval-skip"]
SET_UP_ID = "colab-setup"
SET_UP = """\
# In Colab: install what this notebook imports. Elsewhere this cell does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install -q --no-deps "git+{url}@{branch}"
"""


class Address(NamedTuple):
    url: str
    branch: str

    @property
    def in_colab(self):
        """Where Colab opens the repository's files."""
        name = self.url.removeprefix("https://github.com/")
        return f"https://colab.research.google.com/github/{name}/blob/{self.branch}/"


def configured(root=ROOT):
    """The address that `_config.yml` names."""
    found = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return Address(found["url"], found["branch"])


def checked(url, branch="main"):
    """The address, cleaned. Raises ValueError for what GitHub or Colab could not open."""
    clean = url.removesuffix("/").removesuffix(".git")
    if not URL.fullmatch(clean):
        raise ValueError(
            f"URL={url!r}: allowed is https://github.com/OWNER/REPO, with your own names in it "
            "(Colab opens notebooks from GitHub alone)"
        )
    if not BRANCH.fullmatch(branch):
        raise ValueError(
            f"BRANCH={branch!r}: allowed are letters and digits, with single . _ - / between them"
        )
    return Address(clean, branch)


# --- what the places say


def set_up(address):
    """The source of the set-up cell."""
    return SET_UP.format(url=address.url, branch=address.branch).rstrip()


def is_set_up(cell):
    return cell.get("id") == SET_UP_ID


def with_set_up(notebook, address):
    """The notebook, changed in place, with its set-up cell before all other code."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code:
        return notebook
    if not any(map(is_set_up, code)):
        cell = nbformat.v4.new_code_cell(id=SET_UP_ID, metadata={"tags": SET_UP_TAGS})
        if code[0].execution_count is not None:
            count_on(code)
            cell.execution_count = 1
        notebook.cells.insert(notebook.cells.index(code[0]), cell)
        code.insert(0, cell)
    next(filter(is_set_up, code)).source = set_up(address)
    return notebook


def count_on(cells):
    """Raise every execution count by one, as a cell before them does."""
    for cell in cells:
        for counted in (cell, *cell.outputs):
            if counted.get("execution_count") is not None:
                counted.execution_count += 1


def notebook_text(text, address):
    notebook = nbformat.reads(text, as_version=4)
    if not all("id" in cell for cell in notebook.cells):
        raise ValueError("its cells have no ids: the file needs notebook format 4.5 or newer")
    with_set_up(notebook, address)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def config_text(text, address):
    for key, value in address._asdict().items():
        if yaml.safe_load(value) != value:  # a branch such as 2026 or no
            value = f'"{value}"'
        text, count = re.subn(rf"(?m)^(  {key}: ).*$", lambda m: m[1] + value, text)  # noqa: B023
        if count != 1:
            raise ValueError(f"needs one line '  {key}: ...', has {count}")
    return text


def prose_text(text, address):
    """The ways in which texts and problem sets name the repository."""
    ways = {
        r"(git clone )https://\S+(?= lr-schedulers)": address.url,
        r'(repository-code: )"?https://[^\s"]+"?': address.url,
        r"()https://colab\.research\.google\.com/github/\S+?/blob/\S+?/"
        r"(?=(?:chapters|assignments/handouts)/\w+\.ipynb)": address.in_colab,
    }
    for way, value in ways.items():
        text = re.sub(way, lambda m: m[1] + value, text)  # noqa: B023
    return text


def changes(address, root=ROOT):
    """The new text of every file that does not name this address: {path: text}."""
    places = {
        root / "_config.yml": config_text,
        root / "README.md": prose_text,
        root / "CITATION.cff": prose_text,
        **{path: notebook_text for path in sorted((root / "chapters").glob("*.ipynb"))},
        **{path: prose_text for path in sorted((root / "assignments").rglob("*.ipynb"))},
        **{path: prose_text for path in sorted((root / "chapters").glob("*.md"))},
    }
    changed = {}
    for path, rewrite in places.items():
        text = path.read_text(encoding="utf-8")
        try:
            new = rewrite(text, address)
        except ValueError as error:
            raise ValueError(f"{path.relative_to(root)}: {error}") from None
        if new != text:
            changed[path] = new
    return changed


def main(arguments, root=ROOT):
    try:
        address = checked(*arguments) if arguments else configured(root)
        changed = changes(address, root)  # all of it, before the first is written
    except (ValueError, yaml.YAMLError) as error:
        sys.exit(f"Nothing was written. {error}")
    for path, text in changed.items():
        write_whole(path, text)
        print(f"wrote {path.relative_to(root)}")
    print(f"The repository is {address.url}, branch {address.branch}: {len(changed)} files changed")


if __name__ == "__main__":
    main(sys.argv[1:])
