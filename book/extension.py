"""Sphinx extension of the book: pages that need no other host, and the page at its root.

The package sphinx-mathjax-offline carries all of MathJax 3 (23 MB). A page loads one script and a
few fonts, so only those are copied. The "full" script holds every TeX extension: nothing is loaded
later, not even by a rare command.
"""

import re
from html import escape
from importlib.util import find_spec
from pathlib import Path

from sphinx.util.fileutil import copy_asset

SCRIPT = "tex-chtml-full.js"
FONTS = "output/chtml/fonts/woff-v2"

# The chapters lie in a folder, and so does the front page: the root only leads there.
ROOT_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={page}">
<link rel="canonical" href="{page}">
<link rel="icon" href="data:,">
<title>{title}</title>
</head>
<body><p><a href="{page}">{title}</a></p></body>
</html>
"""


def silence_thebe(app):
    """Jupyter Book always loads sphinx_thebe, which writes the address of a Binder script into
    every page, twice, and so an error. The book offers no Binder kernels."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)


def repair_lists(app, pagename, templatename, context, doctree):
    """docutils calls its list of references a list, but puts more than list items into it."""
    opening = r"<div (?=[^>]*citation-list)[^>]*>"
    context["body"] = re.sub(opening, '<div class="citation-list">', context.get("body", ""))


def name_colab_button(app, pagename, templatename, context, doctree):
    """The theme's menu of services has one entry here: make it a button that says what it does, on
    every page with code to run. Words alone: the logo is too pale for a light page."""
    buttons = context.get("header_buttons", [])
    for i, button in enumerate(buttons):
        if button.get("label") == "launch-buttons":
            (colab,) = button["buttons"]
            named = {"type": "link", "url": colab["url"], "text": "Open in Colab", "label": "colab"}
            code = [node for node in doctree.findall() if _is_code(node)]
            buttons[i : i + 1] = [named] if code else []
            return


def _is_code(node):
    return getattr(node, "get", {}.get)("nb_element") == "cell_code"


def finish(app, error):
    """Add to the built pages what Sphinx does not make, and remove what they do not need."""
    if error or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        # The theme's version for Python 3.10 preloads its fonts, which is an error from a disk.
        html = page.read_text(encoding="utf-8")
        leaner = re.sub(r'<link rel="preload" as="font"[^>]*>\s*', "", html)
        if leaner != html:
            page.write_text(leaner, encoding="utf-8")

    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    copy_asset(source / SCRIPT, target)
    copy_asset(source / FONTS, target / FONTS)

    page = f"{app.config.root_doc}.html"
    title = escape(app.config.html_title)
    Path(app.outdir, "index.html").write_text(
        ROOT_PAGE.format(page=page, title=title), encoding="utf-8"
    )


def setup(app):
    app.config.mathjax_path = f"mathjax/{SCRIPT}"
    app.connect("builder-inited", silence_thebe, priority=0)
    app.connect("html-page-context", repair_lists)
    app.connect("html-page-context", name_colab_button, priority=900)  # after the theme's own
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
