"""Sphinx extension of the book: its pages' buttons and descriptions, and the page at its root."""

import re
from html import escape
from pathlib import Path
from textwrap import shorten

from docutils import nodes

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


def let_code_break(app, pagename, templatename, context, doctree):
    """Code in a narrow column breaks between the parts of a name and of a call.

    That is after _ ( and a comma, and after a dot before a letter: no word, number or keyword=value
    is torn.
    """
    places = re.compile(r"(?<=\w)(?:[_.](?=[^\W\d_])|,(?=\w)|\((?=[\w&'\[{]))")
    context["body"] = re.sub(
        r"<td.*?</td>",
        lambda cell: re.sub(
            r'(?<=<span class="pre">)[^<]+',
            lambda code: places.sub(r"\g<0><wbr>", code[0]),
            cell[0],
        ),
        context.get("body", ""),
        flags=re.S,
    )


def arrange_buttons(app, pagename, templatename, context, doctree):
    """Plain buttons instead of the theme's menus, which take a library of scripts to open.

    The menu of services has one entry here: it becomes a button that says what it does, on every
    page with code to run. Words alone: the logo is too pale for a light page. Browsers have a full
    screen of their own.
    """
    buttons = []
    for button in context.get("header_buttons", []):
        label = button.get("label")
        if label == "launch-buttons":
            (colab,) = button["buttons"]
            if any(_is_code(node) for node in doctree.findall()):
                colab = {"type": "link", "url": colab["url"], "text": "Open in Colab"}
                buttons.append({**colab, "label": "colab"})
        elif label == "download-buttons":
            source, printed = button["buttons"][-2:]
            buttons += [
                {**source, "text": None, "icon": "fas fa-download"},
                {**printed, "text": None, "icon": "fas fa-print"},
            ]
        elif label != "fullscreen-button":
            buttons.append(button)
    context["header_buttons"] = buttons


def _is_code(node):
    return getattr(node, "get", {}.get)("nb_element") == "cell_code"


def put_explorers_first(app, doctree, docname):
    """A cell's output stands before its folded code, where the output is what the reader moves."""
    for cell in doctree.findall(_is_code):
        if any("lr-explorer" in raw.astext() for raw in cell.findall(nodes.raw)):
            cell.children.sort(key=lambda part: "cell_output" not in part.get("classes", []))


def describe(app, pagename, templatename, context, doctree):
    """What search engines and shared links show of a page: its first paragraph, and a picture.

    A shared picture needs a whole address: that of the book on GitHub Pages, or html_baseurl.
    """
    title = context.get("title") or app.config.html_title
    first = doctree.next_node(nodes.paragraph) if doctree else None
    text = " ".join(first.astext().split()) if first else app.config.html_title
    owner, name = app.config.html_theme_options["repository_url"].rstrip("/").split("/")[-2:]
    site = app.config.html_baseurl or f"https://{owner.lower()}.github.io/{name}/"
    context["described"] = {
        "title": re.sub(r"<[^>]*>", "", str(title)),
        "text": shorten(text, 200, placeholder=" …"),
        "picture": f"{site}_static/explorer.png",
    }


def finish(app, error):
    """Write the page at the root."""
    if error or app.builder.format != "html":
        return
    page = f"{app.config.root_doc}.html"
    title = escape(app.config.html_title)
    Path(app.outdir, "index.html").write_text(
        ROOT_PAGE.format(page=page, title=title), encoding="utf-8"
    )


def setup(app):
    app.connect("builder-inited", silence_thebe, priority=0)
    app.connect("doctree-resolved", put_explorers_first)
    app.connect("html-page-context", repair_lists)
    app.connect("html-page-context", let_code_break)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", arrange_buttons, priority=900)  # after the theme's own
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
