"""Files and folders that appear whole or not at all."""

import os
import shutil
from pathlib import Path


def write_whole(path, text):
    """Write `text` to `path` entirely or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_folder(new, target):
    """Put the folder `new` in the place of `target`; both must lie on the same disk."""
    target = Path(target)
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        if old.exists():
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
