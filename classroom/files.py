"""Folders that appear whole or not at all (files: lrcore.files), and texts in any encoding."""

import codecs
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


def text_of(data):
    """Bytes as text: UTF-16 where a mark at the beginning says so, else UTF-8."""
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return data.decode("utf-16" if data.startswith(marks) else "utf-8-sig", errors="replace")
