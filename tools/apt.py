"""Debian's packages for the tests."""

import os
import shutil
import subprocess


def can_install():
    """Whether this is root on a machine with apt-get."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return is_root and shutil.which("apt-get") is not None


def install(*packages):
    """Install them. Errors are not raised: whether it worked shows when they are looked for."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL)
