"""Lend the PyTorch of this environment to another: python tools/share_torch.py ENVIRONMENT.

A second PyTorch would take gigabytes, and minutes to download. Links in the other environment's
site-packages do instead: to torch, and to what a CUDA build of it loads.
"""

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

LENT = re.compile(r"torch|triton|nvidia-.*|cuda-.*")


def entries(distribution):
    """The files and folders of a distribution in site-packages."""
    tops = {path.parts[0] for path in distribution.files}
    return sorted(tops - {"..", "__pycache__"})


def main(arguments):
    target = Path(*arguments)
    (site,) = target.glob("lib/python*/site-packages")
    for distribution in distributions():
        if LENT.fullmatch(distribution.name):
            for name in entries(distribution):
                link = site / name
                link.unlink(missing_ok=True)
                link.symlink_to(distribution.locate_file(name))


if __name__ == "__main__":
    main(sys.argv[1:])
