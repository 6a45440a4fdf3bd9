"""Sphinx extension of the book: a figure is a link to its picture.

A notebook stores how large a figure is shown (see SharpFigure in lrcore/plotting.py), and Sphinx
makes a figure that has a size a link to its file. Its words are too small on a phone: with
`static/figures.js` the link opens it over the page.
"""

import re

# as docutils writes it; another form would fail the tests of the pages
FIGURE = re.compile(
    r'<a class="[^"]*image-reference" (?P<to>href="[^"]*")>'
    r'<img (?P<picture>alt="(?P<alt>[^"]*)" src="[^"]*") '
    r'style="width: (?P<width>\d+)px; height: (?P<height>\d+)px;" />\s*</a>'
)
# the size as attributes: in a style sheet it would not keep the place before the picture comes
LINK = (
    r'<a class="figure-link" \g<to> aria-label="Open the figure: \g<alt>">'
    r'<img \g<picture> width="\g<width>" height="\g<height>" loading="lazy" /></a>'
)


def link_figures(app, pagename, templatename, context, doctree):
    context["body"] = FIGURE.sub(LINK, context.get("body", ""))


def setup(app):
    app.add_js_file("figures.js", loading_method="defer")
    app.connect("html-page-context", link_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
