"""What turns the notebooks into pages: the Sphinx extension, and the static files it serves."""
