"""The sandbox of the classroom tests: `python tools/bubblewrap.py` installs bubblewrap if it can.

Root with apt-get installs Debian's; anyone else on Linux is told what to do.
"""

import os
import shutil
import subprocess
import sys

import apt


def works():
    """Whether bubblewrap is there and can make the namespaces that the sandbox needs."""
    path = shutil.which("bwrap")
    if not path:
        return False
    namespaces = ["--unshare-pid", "--unshare-net"]
    command = [path, *namespaces, "--ro-bind", "/", "/", "--proc", "/proc"]
    command += ["--size", "4096", "--tmpfs", "/tmp", "true"]  # --size is new in version 0.7
    if os.geteuid() != 0:
        command.insert(1, "--unshare-user")
    return subprocess.run(command, capture_output=True).returncode == 0


def main():
    if sys.platform != "linux":
        print("SKIPPED: the tests of grading, whose sandbox (bubblewrap) is made for Linux alone")
        return
    if not shutil.which("bwrap") and apt.can_install():
        print("Installing bubblewrap for the classroom tests", flush=True)
        apt.install("bubblewrap")
    if not shutil.which("bwrap"):
        sys.exit("The classroom tests need bubblewrap: apt install bubblewrap")
    if not works():
        sys.exit(
            "bubblewrap is installed but makes no sandbox here. It must be version 0.7 or newer. "
            "On Ubuntu 24.04: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        )
    print(f"Sandbox: {shutil.which('bwrap')}")


if __name__ == "__main__":
    main()
