"""Sphinx extension of the book: Python that runs in the page, for exercises and the playground.

It gives each page its exercises with what they need to run (`exercises`), the playground its
`examples`, and writes the scripts that a page loads when Python is first asked for (`bundle`):
MicroPython with PyTorch's own schedulers (`port`, `stand_ins`), and an editor.
"""

import json
from pathlib import Path

import nbformat
from sphinx.errors import ExtensionError

from book.page_python import bundle
from book.page_python.examples import EXAMPLES
from book.page_python.exercises import exercises, for_page, shown_formulas
from lrcore.plotting import PATH_WINDOW, path_contours

PLAYGROUND = "chapters/playground"


def add_data(app, pagename, templatename, context, doctree):
    """What the scripts in static/ read in a page: {id: JSON}. The template writes it."""
    data = {}
    path = Path(app.env.doc2path(pagename)) if pagename in app.env.found_docs else Path()
    if path.suffix == ".ipynb":
        notebook = nbformat.read(path, as_version=4)
        data["lr-exercises"] = [for_page(one) for one in exercises(notebook)]
        data["lr-formulas"] = shown_formulas(notebook)
    if pagename == PLAYGROUND:
        data["lr-examples"] = EXAMPLES
        data["lr-bowl"] = {"window": PATH_WINDOW, "contours": path_contours()}
    context["page_data"] = {
        name: json.dumps(value).replace("</", "<\\/") for name, value in data.items() if value
    }


def finish(app, error):
    if error or app.builder.format != "html":
        return
    try:
        bundle.write(Path(app.outdir, "_static"), Path(app.doctreedir, "page_python"))
    except bundle.BundleError as e:
        raise ExtensionError(str(e)) from e


def setup(app):
    app.connect("html-page-context", add_data)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
