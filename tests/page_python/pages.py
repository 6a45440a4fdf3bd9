"""The built pages that run Python, opened in a browser."""

from conftest import ROOT

BOOK = ROOT / "_build" / "html"
ON_DISK = BOOK.as_uri() + "/"


def open_page(context, name, base=ON_DISK):
    """Open a chapter; its `trouble`: errors of scripts, and requests for what is not its own."""
    page = context.new_page()
    page.trouble = []
    own = (base, "data:", "blob:")
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("request", lambda r: r.url.startswith(own) or page.trouble.append(r.url))
    page.goto(f"{base}chapters/{name}")
    return page
