"""Folders that appear whole or not at all (files: lrcore.files)."""

import os
import shutil
from pathlib import Path


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
