"""Shared by the tests: where things are. (`tools` is on the path too: see pyproject.toml.)"""

from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root():
    """The folder of the repository."""
    return ROOT


@pytest.fixture
def one_thread():
    """Sums of floats depend on the number of threads: with one, equal runs are equal bit by bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
