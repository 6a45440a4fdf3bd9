"""Sphinx extension of the book: what its search reads, section by section.

Sphinx's own search wants every word on the page, gives a page and no place in it, knows
"CosineAnnealingLR" as one word, and cannot show text from a disk, where a page may not fetch
another. So the text goes into a script of its own, and `static/search.js` looks through it.
"""

import json
import re
from pathlib import Path

from docutils import nodes

TEXTS = "search_texts.js"

# Headings of what repeats or asks what stands elsewhere: found after all else.
ASIDE = ("Exercises", "References", "What to read next")

# A chapter about a topic comes before a page that says a little about all of them.
CHAPTER, ABOUT_ALL, GLOSSARY = 1, 0.5, 0.15

UNREADABLE = (nodes.raw, nodes.caption, nodes.label, nodes.comment, nodes.system_message)
SYMBOLS = {r"\eta": "η", r"\gamma": "γ", r"\times": "×", r"\%": "%"}


def pages(app):
    """Docname to what the search reads of it, in the order of the book."""
    texts = app.env.search_texts
    for name in app.env.found_docs - texts.keys():  # of an earlier build
        texts[name] = page(name, app.env.get_and_resolve_doctree(name, app.builder))
    order = [app.config.root_doc, *app.env.toctree_includes.get(app.config.root_doc, [])]
    return {name: texts[name] for name in [*order, *sorted(texts.keys() - set(order))]}


def page(name, doctree):
    """Title, weight and sections of a page."""
    sections = [section(node) for node in doctree.findall(nodes.section)]
    titles = [found["title"] for found in sections]
    weight = CHAPTER if "The formula" in titles else ABOUT_ALL
    if name.endswith("glossary"):
        weight = GLOSSARY
    return {"title": titles[0], "weight": weight, "sections": sections}


def section(node):
    """Anchor, title, paragraphs and visible code of a section, without the sections in it."""
    prose, code = [], []
    for child in node.children:
        if not isinstance(child, (nodes.section, nodes.title)):
            read(child, prose, code)
    return {
        "id": node["ids"][0],
        "title": plain(node.next_node(nodes.title)),
        "prose": [text for text in prose if re.search(r"\w\w", text)],
        "code": "\n".join(code),
        "aside": any(title in ASIDE for title in headings(node)),
    }


def headings(node):
    """The titles of a section and of those around it."""
    while isinstance(node, nodes.section):
        yield plain(node.next_node(nodes.title))
        node = node.parent


def read(node, prose, code):
    """Sort what a reader sees into prose and code; the output of a cell counts if it is prose."""
    if isinstance(node, UNREADABLE) or node.tagname == "HideCodeCellNode":
        return
    if isinstance(node, nodes.literal_block):
        if "cell_input" in node.parent.get("classes", []):
            code.append(node.astext())
    elif isinstance(node, nodes.row):  # a cell alone says little
        prose.append(" · ".join(filter(None, map(plain, node.children))))
    elif isinstance(node, nodes.TextElement):
        prose.append(plain(node))
    else:
        for child in node.children:
            read(child, prose, code)


def plain(node):
    """The text of a node in one line. A formula of more than a symbol becomes dots."""
    return re.sub(r"\s+", " ", "".join(spoken(node))).strip()


def spoken(node):
    if isinstance(node, nodes.Text):
        yield node.astext()
    elif isinstance(node, (nodes.math, nodes.math_block)):
        tex = node.astext()
        for command, symbol in SYMBOLS.items():
            tex = re.sub(re.escape(command) + r"(?![a-z]) ?", symbol, tex)
        yield "…" if re.search(r"[\\{}^]", tex) else tex
    elif not isinstance(node, UNREADABLE):
        for child in node.children:
            yield from spoken(child)
    if isinstance(node, (nodes.raw, nodes.paragraph)):  # a line ends here
        yield " "


def collect(app, pagename, templatename, context, doctree):
    if doctree is not None:
        app.env.search_texts[pagename] = page(pagename, doctree)
    elif pagename == "search":  # Sphinx makes it after the pages that have a source
        script = Path(app.outdir, "_static", TEXTS)
        texts = json.dumps(pages(app), ensure_ascii=False, separators=(",", ":"))
        script.write_text(f"const BOOK = {texts};\n", encoding="utf-8")
        for name in (TEXTS, "search.js"):
            app.add_js_file(name, loading_method="defer")


def begin(app):
    app.env.search_texts = {}


def setup(app):
    app.add_css_file("search.css")
    app.add_js_file("search_marks.js", loading_method="defer")
    app.connect("builder-inited", begin)
    app.connect("html-page-context", collect)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
