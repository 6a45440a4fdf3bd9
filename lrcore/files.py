"""Files that are there whole or not at all: recorded runs, grades, notebooks."""

import os


def write_whole(path, content):
    """Write `content` to the pathlib.Path `path`, whole or not at all, come what may.

    Text becomes UTF-8, bytes stay as they are. Raises OSError if it cannot be written; then the
    file is as it was before.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
