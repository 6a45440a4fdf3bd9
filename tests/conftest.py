"""Shared by the tests: where things are. (What else is on the path stands in pyproject.toml.)"""

import os
import re
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A shell starts what runs in its background deaf to Ctrl-C, and that is handed down to every
# process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A proxy in the environment must not catch calls to this machine.
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = ",".join([*filter(None, [os.environ.get(name)]), "127.0.0.1", "localhost"])


# Files that take minutes, or wait for much: begun first, none is left alone at the end of a run.
FIRST = ("test_classroom", "test_cluster", "test_gpu_tool", "test_attacks")  # make unit
FIRST += ("test_worker", "test_python")
FIRST += ("test_lab", "test_firefox", "test_playground")  # make pages


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `--dist loadgroup`, the tests of one page go to one process, one after the other, and so
    do those of JupyterLab, which share a server.

    pytest-xdist 3.8 would take the group from a mark, but with pytest 9.2 its marks do nothing.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByPage(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            page = re.search(r"[^\[\]-]+\.html(?=\]$)", nodeid)
            return page[0] if page else nodeid.partition("test_lab.py")[1] or nodeid

    return ByPage(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def root():
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def course_copy(tmp_path_factory):
    """A copy of the course with gradebook and student versions, as a batch of grading makes it."""
    from classroom.course import COURSE, build, problem_sets  # few tests need nbgrader

    folder = tmp_path_factory.mktemp("course")
    build(COURSE, problem_sets(), folder)
    return folder


@pytest.fixture
def one_thread():
    """Sums of floats depend on the number of threads: with one, equal runs are equal bit by bit."""
    import torch  # here: the process that hands out the tests needs none of it

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def shown():
    """A function that gives the figures of the test, drawn whole, in the order they were made."""
    from matplotlib import pyplot as plt  # here: most tests do without

    drawn = {}

    def figures():
        for number in set(plt.get_fignums()) - drawn.keys():
            drawn[number] = plt.figure(number)
            drawn[number].draw_without_rendering()
        return [drawn[number] for number in sorted(drawn)]

    with plt.rc_context({"figure.max_open_warning": 0}):
        yield figures
    plt.close("all")


@pytest.fixture(scope="session")
def undisturbed():
    """The rows of the plan of tiny_cifar, made in one go, without a cluster."""
    import tiny_cifar  # here: it lies beside the tests of the comparison

    return tiny_cifar.whole()


@pytest.fixture
def tiny(monkeypatch, one_thread):
    """The plan "tiny" and its data, on the command line too."""
    import tiny_cifar

    monkeypatch.setattr(tiny_cifar.comparison, "load", tiny_cifar.load)
    monkeypatch.setitem(tiny_cifar.PLANS, "tiny", tiny_cifar.PLAN)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium. One for all: Playwright runs once in a process."""
    from browser import FLAGS, find_browser  # here: where Colab's versions are, Playwright is not
    from playwright.sync_api import sync_playwright

    path = find_browser()
    if not path:
        pytest.exit("These tests need a browser: run make browser", returncode=1)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def server():
    """Address of the built book, served on this machine."""
    from bench_pages import served

    with served(ROOT / "_build" / "html") as address:
        yield address
