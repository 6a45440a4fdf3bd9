"""Pages made from the templates beside this file: whole in themselves, they load nothing."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from classroom.filled import points_text
from classroom.names import readable


def visible(value):
    """Text without what a page must not get raw; anything else, and finished HTML, as it is."""
    return readable(value, lines=True) if type(value) is str else value


ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=visible,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters["points_text"] = points_text


def render(template, **values):
    """The text of a page. Every text among `values` is escaped, whoever wrote it."""
    return ENVIRONMENT.get_template(template).render(**values)
