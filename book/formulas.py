"""Sphinx extension of the book: formulas as MathML, which a browser draws without a script.

MathML is only as good as the font it is set in, and most phones and many computers have none for
mathematics. Pages bring their own, STIX Two Math, cut down to what they use (see lean.py).
"""

import re

from docutils import nodes
from latex2mathml.converter import convert

# What latex2mathml does not know, in words that it does.
TEX = [
    (r"(\\\\)\[[^]]*\]", r"\1"),  # the height of a line
    (r"\{aligned\}", "{align*}"),
]
# Spaces as TeX has them: around a slash, and after min and max, none; after cos, one.
SPACES = [
    (r"<mo>(&#x0002F;|/)</mo>", '<mo lspace="0" rspace="0">/</mo>'),
    (r"<mo>(min|max)</mo>", r"<mi>\1</mi>"),
    (r"(<mi>(?:cos|sin|log|ln)</mi>)(?=<m(?!o))", r'\1<mspace width="0.167em"/>'),
]


def mathml(tex, display="inline"):
    """The formula as an element of HTML."""
    # in text, an underscore is a letter like others
    tex = re.sub(r"\\text\{[^}]*\}", lambda text: text[0].replace(r"\_", "_"), tex)
    for old, new in TEX:
        tex = re.sub(old, new, tex)
    html = convert(tex.strip(), display=display)
    for old, new in SPACES:
        html = re.sub(old, new, html)
    if unknown := re.search(r"<m[ion]>(\\\w*|&)</m", html):
        raise ValueError(f"{tex!r}: latex2mathml leaves {unknown[0]!r} as it is")
    return html


def inline(self, node):
    self.body.append(f'<span class="math">{mathml(node.astext())}</span>')
    raise nodes.SkipNode


def block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(mathml(node.astext(), "block") + "</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
