"""The browser of the page tests: find one, and with `python tools/browser.py` install one.

Order: the one named by the environment variable CHROMIUM, an installed Chromium or Chrome,
Playwright's own. Firefox, in which the exercises are tried too, is installed from Debian where that
is possible; elsewhere its test is skipped unless it is there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import apt
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")

# Headless, and silent towards the network: the tests count every request.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def runs(path):
    """Whether this is a browser that starts (Ubuntu's chromium-browser may be an empty shell)."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def find_browser():
    """Path of a Chromium that starts, or None. Raises ValueError if CHROMIUM names none."""
    named = os.environ.get("CHROMIUM")
    if named:
        if not runs(named):
            raise ValueError(f"CHROMIUM={named} is not a browser that starts")
        return named
    for name in NAMES:
        path = shutil.which(name)
        if path and runs(path):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() and runs(path) else None


def install_browser():
    """Install Debian's chromium where that is possible, else Playwright's. Errors are not raised:
    whether it worked shows when the browser is looked for again."""
    if apt.can_install():
        print("Installing Debian's chromium for the page tests", flush=True)
        apt.install("chromium", "fonts-liberation")
        if find_browser():
            return
    print("Installing Playwright's chromium for the page tests", flush=True)
    with_libraries = ["--with-deps"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    subprocess.run([sys.executable, "-m", "playwright", "install", *with_libraries, "chromium"])


def main():
    try:
        if not find_browser():
            install_browser()
        path = find_browser()
    except ValueError as error:
        sys.exit(str(error))
    if not path:
        sys.exit(
            "The page tests need a browser and none could be installed: "
            "install Chromium or Chrome, or name one with the environment variable CHROMIUM."
        )
    print(f"Browser: {path}")
    if not FIREFOX and apt.can_install():
        print("Installing Debian's Firefox for one test", flush=True)
        apt.install("firefox-esr")


if __name__ == "__main__":
    main()
