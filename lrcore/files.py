"""Files that are there whole or not at all: recorded runs, grades, notebooks."""

import os


def write_whole(path, text):
    """Write `text` to the pathlib.Path `path` as UTF-8, whole or not at all, come what may.

    Raises OSError if it cannot be written; then the file is as it was before.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
