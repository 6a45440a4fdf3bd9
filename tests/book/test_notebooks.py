"""The form of the chapters, and proof that nbval, which runs them again, notices a change.

`problems` returns what is wrong with a notebook as sentences, so that one run names all of it.
"""

import copy
import re
import statistics
import subprocess
import sys

import execute
import nbformat
import pytest
import repository
import yaml
from conftest import ROOT

from book.page_python.exercises import exercises as page_exercises

CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
# No scheduler is at home on these pages: the anatomy and the exercises are asked of the others.
NOT_A_SCHEDULER = {"index", "cifar_comparison", "cheat_sheet", "glossary", "libraries"}
NOT_A_SCHEDULER |= {"stepping_reference", "which_scheduler", "adamw"}
# The second-level headings that every chapter has, in this order; it may have more.
ANATOMY = (
    "The formula",
    "In PyTorch",
    "On the toy optimizer",
    "When to use it",
    "Pitfalls",
    "Exercises",
    "References",
)
EXERCISES = 3
MEDIAN_LINES = 5
MANY_LINES = 20  # of a code cell; one cell of a notebook may be longer
SOURCE_WIDTH = 88  # characters that fit the column of a page
SHOWN_LINES = 40  # of an output: what a cell returns by accident may be far longer
ALT_LENGTH = (40, 400)  # characters: says what the figure shows, without retelling the text
# All hide something from a reader of the page. There is none that keeps nbval from comparing a
# visible output.
TAGS = {"hide-input", "hide-output", "remove-cell", "remove-input", "nbval-skip"}
TAGS |= {"colab"}  # an exercise that a page cannot run
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
TIMING = re.compile(r"wall time|cpu times|per loop|\d ?[mµun]s ±", re.IGNORECASE)


def tags(cell):
    return set(cell.metadata.get("tags", []))


def printed(cell):
    """What a code cell printed."""
    return "".join(out.text for out in cell.outputs if out.output_type == "stream")


def headings(cell):
    """(level, text) of each heading of a markdown cell; a # in a code block is none."""
    found = []
    fenced = False
    for line in cell.source.splitlines():
        if line.lstrip().startswith(("```", "~~~", ":::")):
            fenced = not fenced
        elif not fenced and (match := re.match(r"(#+) +(.+?) *$", line)):
            found.append((len(match[1]), match[2]))
    return found


def problems(notebook, is_scheduler=True):
    """Everything that is wrong with a chapter, as a list of sentences."""
    found = counting(notebook) + stored(notebook) + set_up(notebook)
    found += long_cells(notebook) + pictures(notebook)
    if is_scheduler:
        found += rhythm(notebook) + anatomy(notebook) + exercises(notebook)
    return found


def code_cells(notebook):
    """The code cells of the chapter itself: without the one that sets up Colab."""
    return [cell for cell in all_code(notebook) if not repository.is_set_up(cell)]


def all_code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def counting(notebook):
    # nbval does not compare a cell without a count: a cleared notebook would pass it
    counts = [cell.execution_count for cell in all_code(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        return [f"execution counts are {counts}, not 1 to {len(counts)}: run make execute"]
    return []


def stored(notebook):
    found = []
    if notebook.nbformat_minor < 5:
        found.append("nbformat is older than 4.5: cells need lasting ids")
    if notebook.metadata != execute.NOTEBOOK_METADATA:
        found.append(f"metadata holds more than a run stores: {sorted(notebook.metadata)}")
    for cell in notebook.cells:
        if unknown := tags(cell) - TAGS:
            found.append(f"unknown tag {sorted(unknown)}; allowed are {sorted(TAGS)}")
        if "nbval-skip" in tags(cell) and "remove-cell" not in tags(cell):
            found.append(f"nbval-skip on a cell that readers see: {cell.source[:60]!r}")
    for number, cell in enumerate(code_cells(notebook), start=1):
        for output in cell.outputs:
            found += [f"code cell {number}: {problem}" for problem in output_problems(output)]
    return found


def output_problems(output):
    if output.output_type == "error":
        return [f"stores an error: {output.ename}"]
    if output.output_type == "stream" and output.name == "stderr":
        return [f"stores a message on stderr: {output.text[:80]!r}"]
    found = []
    data = output.get("data", {})
    if data.get("text/markdown", "").startswith("```python"):
        found += [
            f"shows a source with a line of {len(line)} characters; {SOURCE_WIDTH} fit: {line!r}"
            for line in data["text/markdown"].splitlines()
            if len(line) > SOURCE_WIDTH
        ]
    if execute.WIDGET_VIEW in data:
        found.append("stores a live widget, which no page can show")
    for text in (output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")):
        if match := ADDRESS.search(text):
            found.append(f"stores an address in memory: {match[0]}")
        if match := TIMING.search(text):
            found.append(f"stores a time, which no other run repeats: {match[0]!r}")
    shown = output.get("text") or data.get("text/plain", "")
    if len(shown.splitlines()) > SHOWN_LINES:
        found.append(f"shows {len(shown.splitlines())} lines; at most {SHOWN_LINES} are read")
    return found


def set_up(notebook):
    """The cell that sets up Colab: in every notebook the same, before all other code."""
    code = all_code(notebook)
    cells = [cell for cell in notebook.cells if repository.is_set_up(cell)]
    if not code:
        return []
    if len(cells) != 1 or cells[0] is not code[0]:
        return ["the first code cell is not the one that sets up Colab: run make repository"]
    found = []
    if cells[0].source != repository.set_up(repository.configured()):
        found.append("the set-up cell does not install from the address in _config.yml")
    if tags(cells[0]) != set(repository.SET_UP_TAGS):
        found.append(f"the set-up cell has the tags {sorted(tags(cells[0]))}")
    if cells[0].outputs:
        found.append("the set-up cell has outputs: outside of Colab it must do nothing")
    return found


def lengths(cells):
    """Lines of each cell, the empty ones not counted."""
    return [len([x for x in cell.source.splitlines() if x]) for cell in cells]


def long_cells(notebook):
    lines = lengths(code_cells(notebook))
    if sum(count > MANY_LINES for count in lines) > 1:
        return [f"more than one code cell is longer than {MANY_LINES} lines: {lines}"]
    return []


def rhythm(notebook):
    """Of the cells that are read; those of the exercises are worked with."""
    exercises = [exercise.starter for exercise in page_exercises(notebook)]
    lines = lengths(cell for cell in code_cells(notebook) if cell.source not in exercises)
    if statistics.median(lines) > MEDIAN_LINES:
        return [f"half of the code cells are longer than {MEDIAN_LINES} lines: {lines}"]
    return []


def pictures(notebook):
    found = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        shown = [out.get("data", {}) for out in cell.outputs]
        if any("<Axes" in data.get("text/plain", "") for data in shown):
            found.append(f"code cell {number}: shows the axes in words: begin with _ =")
        if not any("image/png" in data and "text/html" not in data for data in shown):
            if re.search(r"\bplot_\w+\(", cell.source):
                found.append(f"code cell {number}: draws, but no figure is stored")
            continue
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if not ALT_LENGTH[0] <= len(alt) <= ALT_LENGTH[1]:
            found.append(f"code cell {number}: alt text of {len(alt)} characters: {alt!r}")
    return found


def anatomy(notebook):
    found = []
    titles = [heading for cell in notebook.cells if cell.cell_type == "markdown"
              for heading in headings(cell)]  # fmt: skip
    if [level for level, _ in titles].count(1) != 1 or titles[0][0] != 1:
        found.append("a chapter starts with its only first-level heading")
    sections = tuple(text for level, text in titles if level == 2)
    # a page of rules for the loop is no schedule that somebody chooses
    anatomy = [
        text for text in ANATOMY if text != "When to use it" or "Stepping" not in titles[0][1]
    ]
    if [text for text in sections if text in ANATOMY] != anatomy:
        found.append(f"sections are {sections}; needed are, in this order, {ANATOMY}")
    html = [out.get("data", {}).get("text/html", "") for out in code_cells(notebook)[0].outputs]
    if not any("lr-explorer" in text for text in html):
        found.append("the first code cell after the set-up cell does not show the explorer")
    return found


def exercises(notebook):
    """Each exercise: a cell that checks an answer still to be given, a hint, a solution."""
    found = []
    given = page_exercises(notebook)
    if len(given) < EXERCISES:
        found.append(f"{len(given)} exercises; at least {EXERCISES} are needed")
    outputs = {cell.source: printed(cell) for cell in all_code(notebook)}
    for exercise in given:
        title = f"Exercise {exercise.number}"
        if "check(" not in exercise.starter or exercise.starter not in outputs:
            found.append(f"{title}: no single cell that checks the reader's answer")
        elif re.search("^Correct", outputs[exercise.starter], re.M):
            found.append(f"{title}: is solved before the reader begins")
        if not exercise.hint:
            found.append(f"{title}: has no hint")
        if not exercise.solution.startswith("# Solution"):
            found.append(f"{title}: no folded solution that starts with # Solution")
    return found


def read(name):
    return nbformat.read(ROOT / "chapters" / f"{name}.ipynb", as_version=4)


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_form_of_a_chapter(name):
    found = problems(read(name), is_scheduler=name not in NOT_A_SCHEDULER)
    assert not found, "\n".join(found)


def test_the_table_of_contents_names_every_chapter():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [toc["root"]] + [c["file"] for part in toc["parts"] for c in part["chapters"]]
    pages = [path.stem for path in (ROOT / "chapters").glob("*.md")]
    assert sorted(listed) == sorted(f"chapters/{name}" for name in CHAPTERS + pages)


# --- proof that the checks bite

SCHEDULERS = [name for name in CHAPTERS if name not in NOT_A_SCHEDULER]


def test_the_glossary_is_in_alphabetical_order():
    entries = [heading for cell in read("glossary").cells for heading in headings(cell)]
    words = [text for level, text in entries if level == 3]
    assert len(words) > 50
    assert words == sorted(words, key=str.casefold)


def clear_counts(notebook):
    for cell in all_code(notebook):
        cell.execution_count = None


def add_stderr(notebook):
    output = nbformat.v4.new_output("stream", name="stderr", text="a warning")
    code_cells(notebook)[0].outputs.append(output)


def add_error(notebook):
    code_cells(notebook)[0].outputs.append(nbformat.v4.new_output("error", ename="KeyError"))


def add_address(notebook):
    output = nbformat.v4.new_output("stream", text="<object at 0x7f3b2c1d>")
    code_cells(notebook)[0].outputs.append(output)


def keep_widgets(notebook):
    notebook.metadata["widgets"] = {}


def drop_set_up(notebook):
    notebook.cells = [cell for cell in notebook.cells if not repository.is_set_up(cell)]


def move_set_up(notebook):
    notebook.cells.append(notebook.cells.pop(notebook.cells.index(all_code(notebook)[0])))


def install_from_elsewhere(notebook):
    cell = all_code(notebook)[0]
    cell.source = cell.source.replace("@", "@other-")


def show_set_up(notebook):
    all_code(notebook)[0].metadata["tags"] = ["nbval-skip"]


def print_in_set_up(notebook):
    output = nbformat.v4.new_output("stream", text="installing")
    all_code(notebook)[0].outputs.append(output)


def drop_alt_text(notebook):
    for cell in code_cells(notebook):
        cell.metadata.pop("mystnb", None)


def drop_pictures(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            output.get("data", {}).pop("image/png", None)


def show_axes(notebook):
    data = {"text/plain": "<Axes: xlabel='optimizer step', ylabel='learning rate'>"}
    code_cells(notebook)[0].outputs.append(nbformat.v4.new_output("execute_result", data))


def show_a_list(notebook):
    data = {"text/plain": "\n".join(["[0.02,", *[" 0.02,"] * 199])}
    code_cells(notebook)[0].outputs.append(nbformat.v4.new_output("execute_result", data))


def widen_source(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            if data.get("text/markdown", "").startswith("```python"):
                data["text/markdown"] += "\n" + 89 * "#"


def drop_section(notebook):
    for cell in notebook.cells:
        cell.source = cell.source.replace("## Pitfalls", "Pitfalls")


def drop_solution(notebook):
    notebook.cells = [cell for cell in notebook.cells if 'class="solution"' not in cell.source]


def drop_hint(notebook):
    notebook.cells = [cell for cell in notebook.cells if 'class="hint"' not in cell.source]


def solve(notebook):
    for cell in all_code(notebook):
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = output.text.replace("Not yet", "Correct")


def write_long_cells(notebook):
    for cell in code_cells(notebook):
        cell.source += "\npass" * MANY_LINES


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (clear_counts, "execution counts"),
        (add_stderr, "stderr"),
        (add_error, "stores an error"),
        (add_address, "address in memory: 0x7f3b2c1d"),
        (keep_widgets, "metadata"),
        (drop_set_up, "not the one that sets up Colab"),
        (move_set_up, "not the one that sets up Colab"),
        (install_from_elsewhere, "does not install from the address"),
        (show_set_up, "set-up cell has the tags ['nbval-skip']"),
        (print_in_set_up, "must do nothing"),
        (drop_alt_text, "alt text"),
        (drop_pictures, "draws, but no figure is stored"),
        (show_axes, "shows the axes in words"),
        (show_a_list, "shows 200 lines"),
        (widen_source, "a line of 89 characters"),
        (drop_section, "sections are"),
        (drop_solution, "# Solution"),
        (drop_hint, "has no hint"),
        (solve, "solved before the reader begins"),
        (write_long_cells, "longer than 20 lines"),
    ],
)
def test_a_spoiled_chapter_is_noticed(spoil, complaint):
    notebook = read("step_lr")
    spoil(notebook)
    assert any(complaint in problem for problem in problems(notebook))


def alter_number(notebook):
    """Change one digit that a cell printed; return the index of the cell."""
    for index, cell in enumerate(all_code(notebook)):
        for output in cell.outputs:
            if output.output_type == "stream" and re.search(r"\d", output.text):
                digit = re.search(r"\d", output.text)[0]
                output.text = output.text.replace(digit, str((int(digit) + 1) % 10), 1)
                return index
    raise AssertionError("no cell prints a number")


def alter_html(notebook, old, new):
    """Change the HTML of the first explorer; return the index of the cell."""
    for index, cell in enumerate(all_code(notebook)):
        for output in cell.outputs:
            html = output.get("data", {}).get("text/html", "")
            if old in html:
                output.data["text/html"] = html.replace(old, new, 1)
                return index
    raise AssertionError(f"no HTML output holds {old!r}")


def test_nbval_notices_an_altered_output(tmp_path):
    """Run as `make test` does: with the options of tests/nbval.args."""
    notebook = read("step_lr")
    picture = "data:image/png;base64,"

    # the bytes of a picture may differ from machine to machine, and do not count
    explorer = all_code(notebook)[alter_html(notebook, picture, picture + "AAAA")]
    same = copy.deepcopy(explorer)
    same.id = "same"
    notebook.cells.insert(notebook.cells.index(explorer) + 1, same)

    wrong = {alter_number(notebook), alter_html(notebook, "lr-controls", "lr-altered")}
    assert len(wrong) == 2
    last = all_code(notebook)[max(wrong)]
    del notebook.cells[notebook.cells.index(last) + 1 :]
    nbformat.write(notebook, tmp_path / "altered.ipynb")

    pytest_ = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "@tests/nbval.args"]
    command = [*pytest_, "-n", "0", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    failed = re.findall(r"^FAILED \S*?\.ipynb::Cell (\d+)", done.stdout, re.MULTILINE)
    assert sorted(map(int, failed)) == sorted(wrong), done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    passed = len(code_cells(notebook)) - len(wrong)
    assert f"{len(wrong)} failed, {passed} passed, 1 skipped" in done.stdout  # the set-up cell
