"""Sphinx extension of the book: pages that load little.

Sphinx, the theme and the extensions that Jupyter Book always brings each add their files to every
page, needed or not: megabytes of icons alone. When a book is built, this puts what its pages need
into one style sheet and one script, and each of the two fonts is cut down to what the book uses.
"""

import base64
import io
import re
import unicodedata
from html import unescape
from importlib.util import find_spec
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from PIL import Image

STYLE, SCRIPT = "book_all.css", "book_all.js"

# Never needed: kernels from Binder, all icons as pictures, the loaders of MathJax and of search
# results. (The page for searching keeps its scripts.)
NEVER = "|".join(
    ("sphinx-thebe", r"fontawesome.*\.js", "mathjax", r"doctools|sphinx_highlight")
    + ("searchtools", "language_data", "searchindex")
)
# Needed where the page has such elements.
SOMETIMES = {
    r"bootstrap\.js": r'data-bs-spy|data-bs-toggle="dropdown"',
    r"design-tabs|sphinx-design": r'class="(?:[^"]* )?sd-',
    r"togglebutton": r'class="(?:[^"]* )?(?:toggle|dropdown)[" ]',
    r"clipboard|copybutton": r"<pre",
}
LINKED_STYLE = re.compile(r'[ \t]*<link [^>]*href="[./]*_static/([^"?]+\.css)[^>]*>\n?')
LINKED_SCRIPT = re.compile(r'[ \t]*<script [^>]*src="[./]*([^"?:]+\.js)[^>]*></script>\n?')
# Settings for what is left out, and orders to load early what is not urgent, or cannot be from a
# disk (fonts).
SETTINGS = re.compile(
    r"[ \t]*<script>(?:let toggleHint|let toggleOpen|var togglebutton|DOCUMENTATION_OPTIONS\.)"
    r'[^<]*</script>\n?|[ \t]*<link rel="preload"[^>]*>\n?'
)

ICON_FACE = "Font Awesome 6 Free"
ICONS = {"fa-solid", "fa-regular", "fa-brands", "fa-lg"}  # these classes name no icon
MATH_FACE = "STIX Two Math"


def is_needed(name, html):
    if re.search(NEVER, name):
        return False
    return all(re.search(seen, html) for part, seen in SOMETIMES.items() if re.search(part, name))


def finish(app, error):
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    paths = [path for path in sorted(out.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: path.read_text(encoding="utf-8") for path in paths}
    styles, scripts = {}, {}  # ordered sets
    for path, html in pages.items():
        styles |= {name: 0 for name in LINKED_STYLE.findall(html) if is_needed(name, html)}
        if path.name != "search.html":
            found = [name for name in LINKED_SCRIPT.findall(html) if is_needed(name, html)]
            scripts |= dict.fromkeys(found)
    static = out / "_static"
    (static / STYLE).write_text(style(static, styles, pages), encoding="utf-8")
    (static / SCRIPT).write_text(script(out, scripts), encoding="utf-8")
    sizes = {}
    for path, html in pages.items():
        up = "../" * (len(path.relative_to(out).parts) - 1)
        lean = size_pictures(lean_page(path.name, html, up), path.parent, sizes)
        if lean != html:
            path.write_text(lean, encoding="utf-8")


def lean_page(name, html, up):
    """The page with one style sheet and, except for the page for searching, one script."""
    if not LINKED_STYLE.search(html):
        return html
    here = LINKED_STYLE.search(html).start()
    link = f'<link rel="stylesheet" href="{up}_static/{STYLE}" />\n'
    html = LINKED_STYLE.sub("", html[:here] + "\0" + html[here:]).replace("\0", link)
    if name == "search.html":
        return re.sub(r"<script [^>]*(?:fontawesome|mathjax)[^>]*></script>\n?", "", html)
    html = SETTINGS.sub("", LINKED_SCRIPT.sub("", html))
    return html.replace("</head>", f'<script defer src="{up}_static/{SCRIPT}"></script>\n</head>')


def size_pictures(html, folder, sizes):
    """Say how large pictures are, so that nothing moves when they come; the first is in sight."""

    def sized(tag):
        source = re.search(r'src="([^":]+\.(?:png|jpe?g))"', tag[0])
        if not source or " width=" in tag[0] or " height=" in tag[0]:
            return tag[0]
        path = (folder / unescape(source[1])).resolve()
        if path not in sizes:
            with Image.open(path) as picture:
                sizes[path] = picture.size
        width, height = sizes[path]
        return f'<img width="{width}" height="{height}" loading="lazy"{tag[0][4:]}'

    return re.sub(r"<img [^>]*>", sized, html)


def script(out, names):
    return "\n;\n".join((out / name).read_text(encoding="utf-8") for name in names)


def style(static, names, pages):
    """All style sheets as one, with both fonts in it."""
    css = "\n".join(whole(static / name) for name in names)
    css = re.sub(r"@charset [^;]*;|/\*.*?\*/", "", css, flags=re.S)
    css = re.sub(r"@font-face\s*\{[^}]*Font ?Awesome[^}]*\}", "", css)
    used = set(re.findall(r"\bfa-[a-z0-9-]+", " ".join(pages.values()))) - ICONS
    names_of = re.compile(r'((?:\.fa-[a-z0-9-]+::?before,?)+)\{content:"\\([0-9a-f]+)"\}')
    points = {0xF107}  # the theme's arrow at a folded table of contents

    def keep(rule):
        if not used & set(re.findall(r"fa-[a-z0-9-]+", rule[1])):
            return ""
        points.add(int(rule[2], 16))
        return rule[0]

    css = names_of.sub(keep, css)
    points |= {int(x, 16) for x in re.findall(r'--pst-icon-[a-z-]+:\s*"\\([0-9a-f]+)"', css)}
    icons = next(static.rglob("fa-solid-900.ttf"))
    stix = Path(find_spec("ziamath").origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
    return (
        css
        + face(ICON_FACE, "900", icons, points)
        + face(MATH_FACE, "400", stix, mathematics(pages.values()))
    )


def whole(path):
    """A style sheet with those that it imports."""
    css = path.read_text(encoding="utf-8")
    found = re.compile(r'@import (?:url\()?"([^":]+)"\)?;')
    return found.sub(lambda rule: whole((path.parent / rule[1]).resolve()), css)


def mathematics(pages):
    """The code points of all formulas. Browsers draw a letter alone as its mathematical italic."""
    letters = set()
    for html in pages:
        for formula in re.findall(r"<math.*?</math>", html, re.S):
            letters |= set(unescape(re.sub(r"<[^>]*>", "", formula)))
            if "<msqrt" in formula or "<mroot" in formula:
                letters.add("√")  # which the browser draws, and no text holds
    italic = [0x210E, *range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C)]
    slanted = {i for i in italic if unicodedata.normalize("NFKC", chr(i)) in letters}
    return {ord(letter) for letter in letters} | slanted


def face(family, weight, path, points):
    """The rule that carries a font, cut down to some code points and all they are built from."""
    options = Options(flavor="woff", desubroutinize=True, hinting=False)
    options.layout_features += ["ssty"]  # letters drawn for small sizes
    font = TTFont(path)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=points)
    subsetter.subset(font)
    font.flavor = "woff"
    data = io.BytesIO()
    font.save(data)
    data = base64.b64encode(data.getvalue()).decode()
    return (
        f'\n@font-face {{ font-family: "{family}"; font-weight: {weight}; font-display: block;'
        f' src: url("data:font/woff;base64,{data}"); }}'
    )


def setup(app):
    app.connect("build-finished", finish, priority=900)  # after all that writes pages
    return {"parallel_read_safe": True, "parallel_write_safe": True}
