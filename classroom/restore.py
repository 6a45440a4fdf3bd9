"""The cells of a submission, put back to where grading needs them."""

import ast

import nbformat

from classroom.course import defined, pieces


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
        grade_id = data.get("grade_id") if isinstance(data, dict) else None
        cell.metadata["was"] = {
            "grade_id": grade_id if isinstance(grade_id, str) else None,
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
    found = {}
    for r in released:
        copies = [cell for cell in notebook.cells if cell.metadata.was["grade_id"] == r.grade_id]
        written = [cell for cell in copies if not r.is_untouched(cell.source)]
        if copies:  # of copies, the last one counts in which something is written
            found[r.grade_id] = (written or copies[:1])[-1]
        left = [id(cell) for cell in copies if cell not in written]
        notebook.cells = [cell for cell in notebook.cells
                          if id(cell) not in left or cell is found[r.grade_id]]  # fmt: skip
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
        if imports:
            added = nbformat.v4.new_code_cell(imports, metadata={"was": {}})
            notebook.cells.insert(notebook.cells.index(found[r.grade_id]), added)

    position = 0
    for r in released:
        fresh = nbformat.from_dict(r.cell)
        if r.grade_id in found:
            position = notebook.cells.index(found[r.grade_id])
            if r.is_answer:
                fresh.source = found[r.grade_id].source
            notebook.cells[position] = fresh
        else:
            if r.is_answer:
                fresh.source = ""  # it may be in another cell, which the stub would hide
            notebook.cells.insert(position, fresh)
        position += 1
    for cell in notebook.cells:
        cell.metadata.pop("was", None)
    return notes, lost


def imports_of(source):
    """The import statements at the top level of a cell, one a line; none of code that is broken."""
    return "\n".join(pieces(source, (ast.Import, ast.ImportFrom)))
