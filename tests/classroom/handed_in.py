"""Notebooks as students hand them in, made from the problem sets."""

import nbformat

from classroom.course import COURSE


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def released(course_copy, name):
    """The student version, out of a copy that `course.build` made."""
    return nbformat.read(course_copy / "release" / name / f"{name}.ipynb", as_version=4)


def solved(course_copy, name, **answers):
    """A student version with the reference answers, but for those given by `answers`."""
    source = nbformat.read(COURSE / "source" / name / f"{name}.ipynb", as_version=4)
    solutions = {grade_id(cell): cell.source for cell in source.cells}
    notebook = released(course_copy, name)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers.get(grade_id(cell)[4:], solutions[grade_id(cell)])
    return notebook


def put(folder, path, content):
    """Write a text or a notebook to `path` in `folder`."""
    path = folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else nbformat.writes(content))
