"""Shared by the tests: where things are. (`tools` is on the path too: see pyproject.toml.)"""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root():
    """The folder of the repository."""
    return ROOT
