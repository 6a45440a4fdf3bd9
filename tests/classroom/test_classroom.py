"""Grading with real kernels: honest work gets its points, hostile work harms nobody.

One batch of 24 submissions holds nearly all of it; each test looks at one student's row. A kernel
takes seconds to start, so one submission proves several things where none hides another.
"""

import contextlib
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

import nbformat
import psutil
import pytest
from conftest import ROOT
from handed_in import grade_id, put, released, solved
from made_up import fill, table

from classroom import course as course_module
from classroom import report, sandbox, worker
from classroom.__main__ import main
from classroom.batch import grade_folder
from classroom.course import COURSE, CourseError, problem_sets, released_cells, settings
from classroom.restore import read_notebook, restore

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the sandbox of grading is made for Linux alone"
)

SETS = problem_sets()
POINTS = {"ps1": 12, "ps2": 10, "ps3": 13, "ps4": 18}
WRITTEN = 5  # points of ps4, given by hand
csv.field_size_limit(2**30)
CLI = [sys.executable, "-m", "classroom"]

STEP = """
def step_lr(t, base_lr, step_size, gamma):
    return base_lr * gamma ** (t // step_size)
"""
NOISY = """
import sys
def step_lr(t, base_lr, step_size, gamma):
    print("debug", t, file=sys.stderr)
    return base_lr * gamma ** (t // step_size)
"""
SPY = """
print("seen:", [cell for cell in In if "with other " + "parameters" in cell], globals().get("_n"))
def cosine_lr(t, base_lr, T_max, eta_min=0.0):
    return eta_min + (base_lr - eta_min) * (1 + math.cos(math.pi * t / T_max)) / 2
"""
# In the first check it keeps a core busy, in the second it sleeps: the interrupt ends both.
LOOP = """
import time
calls = []
def step_lr(t, base_lr, step_size, gamma):
    calls.append(t)
    while len(calls) == 1:
        pass
    while True:
        time.sleep(1)
"""
PRINTS = "while True:\n    print('flood ' * 1000)"
ALLOCATION = "block = bytearray(30 * 2**30)\n" + STEP
# bounded here too, in case that nothing else bounds it
PROCESSES = """
import os, time
for _ in range(200):
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
time.sleep(20)
"""
EXIT = "import os\nos._exit(0)"
FORGED = """
class Forged:
    def __eq__(self, other): return True
    def __le__(self, other): return True
    def __lt__(self, other): return True
    def __sub__(self, other): return self
    def __rsub__(self, other): return self
    def __abs__(self): return 0
def step_lr(t, base_lr, step_size, gamma):
    return Forged()
"""
SHADOWS = """
float = abs = str
check = lambda *arguments: None
def step_lr(t, base_lr, step_size, gamma):
    return 0.0
"""
WRITES = """
import os, shutil
done = []
for path in {paths}:
    try:
        with open(path, "w") as file:
            file.write("harm")
        done.append(path)
    except OSError:
        pass
try:
    shutil.rmtree({folder!r})
except OSError:
    pass
print("written:", done)
"""
READS = """
import glob, os
found = [path for path in {paths} if os.path.exists(path)]
for start in ("/tmp", "/root", "/home", os.getcwd()):
    for folder, inner, files in os.walk(start):
        inner[:] = [name for name in inner if name != "lib"]  # Python itself
        found += [os.path.join(folder, f) for f in files if f.endswith((".ipynb", ".db"))]
print("found:", found)
"""
NETWORK = """
import socket
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=2).sendall(b"hello")
    print("reached")
except OSError as error:
    print("no network")
"""


def classroom(*arguments):
    """The command in a process of its own: to grade, it forks, and a test's process has threads."""
    command = [*CLI, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500)


def refused(*arguments):
    """What the command says as it refuses to begin. In this process: a start takes seconds."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    assert isinstance(ended.value.code, str)  # Python prints it to stderr and exits with status 1
    return ended.value.code


def grade_and_kill(command, outcomes):
    """Kill `command` in the midst of its work: the outcomes it kept, and what still runs."""
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    grading = subprocess.Popen(command, cwd=ROOT, **nowhere)
    until = time.monotonic() + 300
    try:
        while not outcomes.exists() or len(list(outcomes.glob("ps1-*.json"))) < 6:
            assert grading.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        below = psutil.Process(grading.pid).children(recursive=True)
    finally:
        grading.kill()
        grading.wait()
    psutil.wait_procs(below, timeout=20)
    left = [p for p in below if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    return {path: path.read_bytes() for path in outcomes.glob("ps1-*.json")}, left


def rest_of(name, exercise):
    """Points of a problem set without those of one exercise."""
    cells = nbformat.read(COURSE / "source" / name / f"{name}.ipynb", as_version=4).cells
    start = f"{name}-{exercise}-"
    lost = [c.metadata.nbgrader["points"] for c in cells if grade_id(c).startswith(start)]
    assert lost
    return POINTS[name] - sum(lost)


class Batch:
    pass


@pytest.fixture(scope="session")
def batch(course_copy, tmp_path_factory):
    """24 submissions, graded together by the command, which is killed once."""
    batch = Batch()
    batch.size = 16 + 2 * len(SETS)
    folder = batch.folder = tmp_path_factory.mktemp("batch") / "collected"
    batch.target = folder.with_name("grades")
    batch.victim = folder.with_name("victim.txt")
    batch.victim.write_text("unharmed")

    def answer(student, source, path="{}/ps1.ipynb", **more):
        put(folder, path.format(student), solved(course_copy, "ps1", step=source, **more))

    for name in SETS:
        put(folder, f"reference/{name}.ipynb", solved(course_copy, name))
        put(folder, f"untouched/{name}.ipynb", released(course_copy, name))
    constant = "def cosine_lr(*a, **k): return 1.0  # <script>alert(1)</script>"
    put(folder, "partial/ps1.ipynb", solved(course_copy, "ps1", cosine=constant))
    answer("loop", LOOP)
    answer("prints", PRINTS)
    answer("allocation", ALLOCATION)
    answer("processes", PROCESSES)
    answer("exit", EXIT)
    answer("Ada Lovelace", FORGED, "{}_812_assignsubmission_file_/ps1 (1).ipynb")
    answer("turingalan", SHADOWS, "{}_4711_99_ps1-2.ipynb")

    paths = [str(batch.victim), str(COURSE / "source" / "harm"), str(folder / "harm"),
             os.path.join(sys.prefix, "harm"), "/etc/harm", "/usr/harm", "../harm"]  # fmt: skip
    writes = WRITES.format(paths=paths, folder=str(folder))
    paths = [str(COURSE), str(COURSE / "source" / "ps1" / "ps1.ipynb"), str(folder),
             str(batch.victim), "gradebook.db", "../../gradebook.db", "source"]  # fmt: skip
    reads = READS.format(paths=paths)
    server = socket.create_server(("127.0.0.1", 0))
    network = NETWORK.format(port=server.getsockname()[1])
    answer("hostile", writes + reads + network + NOISY, cosine=SPY)

    notebook = solved(course_copy, "ps1", warmup="def warmup_lr(*a, **k): return 1.0")
    tests = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    notebook.cells = [cell for cell in notebook.cells if cell not in tests]
    put(folder, "deleted tests/final FINAL (2).ipynb", notebook)

    for name in ("ps1", "ps4"):
        notebook = solved(course_copy, name)
        for cell in notebook.cells:
            cell.metadata = {}
            del cell["id"]
        notebook.nbformat_minor = 4
        put(folder, f"stripped/{name}.ipynb", notebook)

    notebook = solved(course_copy, "ps1", step="# nothing")
    for cell in notebook.cells:
        if grade_id(cell).startswith("ps1-step-"):
            cell.metadata.nbgrader |= {"points": 100, "locked": False, "solution": True}
            cell.source = "pass"
    put(folder, "Zoë_ps1 (3).ipynb", notebook)

    put(folder, "corrupt/ps1.ipynb", nbformat.writes(solved(course_copy, "ps1"))[:-500])
    put(folder, "empty/ps1.ipynb", "")
    put(folder, "twice/ps1.ipynb", solved(course_copy, "ps1"))
    put(folder, "twice/ps1 (1).ipynb", solved(course_copy, "ps1", step=LOOP))

    command = ("grade", folder, "--to", batch.target, "--jobs", "2")
    batch.kept, batch.left = grade_and_kill([*CLI, *command], batch.target / "outcomes")
    begun = time.monotonic()
    done = classroom(*command)
    batch.seconds = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    batch.printed = done.stdout
    server.setblocking(False)
    try:
        batch.connected = bool(server.accept())
    except BlockingIOError:
        batch.connected = False
    server.close()
    batch.rows = table(batch.target / "gradebook.csv")
    return batch


def row(batch, student, name="ps1"):
    found = [r for r in batch.rows if r["student"] == student and r["problem set"] == name]
    assert len(found) == 1, [(r["student"], r["problem set"]) for r in batch.rows]
    return found[0]


def page(batch, student):
    folder = batch.target / "feedback"
    (found,) = [*folder.glob(f"{student}.html"), *folder.glob(f"{student}_*.html")]  # with an id
    return found.read_text()


def assert_graded(found, points, name="ps1"):
    assert found["status"] == "graded", found
    assert (float(found["points"]), float(found["of"])) == (points, POINTS[name]), found


def assert_not_graded(found, reason):
    assert found["status"] == "not graded", found
    assert reason in found["reason"]
    assert found["points"] == found["of"] == ""


def test_the_batch_goes_on(batch):
    assert len(batch.rows) == batch.size
    print(f"{batch.seconds / (batch.size - len(batch.kept)):.2f} s a submission")


@pytest.mark.parametrize("name", SETS)
def test_the_reference_solution_earns_all_points(batch, name):
    found = row(batch, "reference", name)
    if name == "ps4":
        assert found["status"] == "needs hand grading"
        assert float(found["points"]) == POINTS[name] - WRITTEN
        assert float(found["of"]) == POINTS[name]
    else:
        assert_graded(found, POINTS[name], name)


@pytest.mark.parametrize("name", SETS)
def test_the_untouched_version_earns_none(batch, name):
    assert_graded(row(batch, "untouched", name), 0, name)


def test_the_student_number_of_a_notebook_is_kept(batch):
    records = [json.loads(path.read_text()) for path in batch.target.glob("outcomes/*.json")]
    numbers = {(r["made_from"]["key"][0], r["made_from"]["key"][2]): r["outcome"].get("numbers")
               for r in records}  # fmt: skip
    assert numbers["reference", "ps2"] == ["20231234"]
    assert numbers["reference", "ps1"] == numbers["untouched", "ps2"] == []


def test_partial_work_earns_its_part(batch):
    assert_graded(row(batch, "partial"), rest_of("ps1", "cosine"))
    text = page(batch, "partial")
    # exercise 4 builds on it
    assert "right, with a correct answer to ps1-cosine in place of yours" in text
    assert "cosine_lr: first difference at step 0: expected 0.4, got 1" in text
    assert "HIDDEN" not in text and "check(" not in text


@pytest.mark.parametrize("student", ["loop", "allocation", "Ada Lovelace", "turingalan"])
def test_a_bad_answer_costs_its_exercise_only(batch, student):
    assert_graded(row(batch, student), rest_of("ps1", "step"))


def test_what_the_pages_say(batch):
    assert "took too long" in page(batch, "loop")
    assert "MemoryError" in page(batch, "allocation")
    assert "TypeError" in page(batch, "Ada Lovelace")
    assert "first difference at step 0: expected 0.8, got 0" in page(batch, "turingalan")


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("prints", "showed more than 32 MB"),
        ("processes", f"started more than {sandbox.PROCESSES} processes"),
        ("exit", "ended by itself"),
        ("corrupt", "no notebook that can be read"),
        ("empty", "no notebook that can be read"),
        ("twice", "2 different files: keep one of"),
    ],
)
def test_what_cannot_be_graded_is_no_zero(batch, student, reason):
    assert_not_graded(row(batch, student), reason)
    assert "Could not be graded" in page(batch, student)


def test_nothing_outside_is_written(batch):
    assert_graded(row(batch, "hostile"), POINTS["ps1"])
    assert "written: []" in page(batch, "hostile")
    assert batch.victim.read_text() == "unharmed"
    assert not list(batch.folder.parent.rglob("harm"))


def test_nothing_outside_is_read(batch):
    assert "found: []" in page(batch, "hostile")
    assert "seen: [] None" in page(batch, "hostile")


def test_there_is_no_network(batch):
    assert "no network" in page(batch, "hostile")
    assert not batch.connected


def test_deleted_tests_come_back(batch):
    found = row(batch, "deleted tests")
    assert_graded(found, rest_of("ps1", "warmup"))
    assert "ps1-step-hidden" in found["notes"]


def test_stripped_metadata_are_given_back(batch):
    found = row(batch, "stripped")
    assert_graded(found, POINTS["ps1"])
    assert "lost metadata given back: ps1-" in found["notes"]


def test_a_written_answer_that_is_not_found_is_no_zero(batch):
    found = row(batch, "stripped", "ps4")
    assert found["status"] == "needs hand grading"
    assert float(found["points"]) == POINTS["ps4"] - WRITTEN
    assert "answers missing: ps4-explain" in found["notes"]


def test_changed_tests_are_replaced(batch):
    assert_graded(row(batch, "Zoë"), rest_of("ps1", "step"))


def test_names_of_files_do_not_matter(batch):
    names = [path.name for path in batch.folder.rglob("*.ipynb")]
    odd = {"final FINAL (2).ipynb", "Zoë_ps1 (3).ipynb", "turingalan_4711_99_ps1-2.ipynb"}
    assert odd < set(names) and "ps1 (1).ipynb" in names
    for student in ("deleted tests", "Ada Lovelace", "turingalan", "Zoë"):
        assert row(batch, student)["status"] == "graded"


def test_pages_hold_no_script_and_no_address(batch):
    for path in (batch.target / "feedback").iterdir():
        text = path.read_text()
        assert "<script" not in text and "://" not in text.replace("&", ""), path


def test_a_second_run_grades_nothing_again_and_takes_the_points_given_by_hand(batch, capsys):
    kept = {path: path.stat().st_mtime_ns for path in (batch.target / "outcomes").iterdir()}
    answers = table(batch.target / "written.csv")
    assert [(a["student"], a["question"], a["points"]) for a in answers] == [
        ("reference", "ps4-explain", ""),
        ("stripped", "ps4-explain", ""),
    ]

    fill(batch.target / "written.csv", {"points": "6", "comment": "well <put>"})
    command = ("grade", str(batch.folder), "--to", str(batch.target))
    assert "a number from 0 to 5, got '6'" in refused(*command)
    fill(batch.target / "written.csv", {"points": "3.5"})
    main(command)
    assert f"{batch.size} already done, 0 to grade" in capsys.readouterr().out
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    batch.rows = table(batch.target / "gradebook.csv")
    assert_graded(row(batch, "reference", "ps4"), POINTS["ps4"] - WRITTEN + 3.5, "ps4")
    assert "well &lt;put&gt;" in page(batch, "reference")


def test_killed_grading_goes_on_where_it_was(batch):
    assert not batch.left
    done, rest = len(batch.kept), batch.size - len(batch.kept)
    assert rest and f"{done} already done, {rest} to grade" in batch.printed
    assert all(path.read_bytes() == text for path, text in batch.kept.items())
    records = map(json.loads, batch.kept.values())
    kept = {record["made_from"]["key"][0]: record["outcome"]["status"] for record in records}
    assert kept["corrupt"] == "not graded" and "graded" in kept.values()


def test_a_loop_that_no_interrupt_ends(course_copy, tmp_path, monkeypatch):
    def impatient(course, folder):
        config = settings(course, folder)
        config.Execute.timeout = 2
        return config

    monkeypatch.setattr(worker, "settings", impatient)
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    put(tmp_path, "ps1.ipynb", solved(course_copy, "ps1", step=stubborn))
    outcome = worker.grade(COURSE, course_copy, "ps1", tmp_path / "ps1.ipynb")
    assert outcome["status"] == "not graded"
    assert outcome["reason"].startswith("it ran too long and could not be interrupted (cell ")


def test_a_notebook_that_takes_too_long_as_a_whole(course_copy, tmp_path):
    put(tmp_path, "ps1.ipynb", solved(course_copy, "ps1"))
    outcome = worker.grade(COURSE, course_copy, "ps1", tmp_path / "ps1.ipynb", seconds=1)
    assert outcome["status"] == "not graded"
    assert outcome["reason"].startswith("it ran for more than 1 seconds")


# --- what is given by hand


def test_a_course_that_cannot_be_built_changes_no_result(course_copy, tmp_path, monkeypatch):
    def broken(*arguments):
        raise CourseError("ps1: no such cell")

    put(tmp_path, "in/ada/ps1.ipynb", solved(course_copy, "ps1"))
    put(tmp_path, "in/bob/ps1.ipynb", "damaged")
    put(tmp_path, "out/gradebook.csv", "mine")
    monkeypatch.setattr(course_module, "build", broken)
    with pytest.raises(CourseError, match="no such cell"):
        grade_folder(tmp_path / "in", tmp_path / "out", in_sandbox=False)
    assert (tmp_path / "out" / "gradebook.csv").read_text() == "mine"
    assert not list((tmp_path / "out" / "outcomes").iterdir())


def test_a_deleted_answer_does_not_hide_one_in_another_cell(course_copy):
    notebook = solved(course_copy, "ps1")
    notebook.cells = [cell for cell in notebook.cells if grade_id(cell) != "ps1-cosine"]
    notebook = read_notebook(nbformat.writes(notebook))
    notes, lost = restore(notebook, released_cells(course_copy, "ps1"))
    assert lost == ["ps1-cosine"] and "answers missing: ps1-cosine" in notes
    assert [cell.source for cell in notebook.cells if grade_id(cell) == "ps1-cosine"] == [""]


# --- without a sandbox


def test_no_sandbox_no_grading(course_copy, tmp_path, monkeypatch):
    put(tmp_path, "in/a/ps1.ipynb", solved(course_copy, "ps1"))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    command = ("grade", tmp_path / "in", "--to", tmp_path / "out")
    assert "bubblewrap is not installed" in refused(*command)
    assert not (tmp_path / "out").exists()

    done = classroom(*command, "--without-sandbox")
    assert done.returncode == 0, done.stderr
    assert "*** WITHOUT A SANDBOX ***" in done.stderr
    assert table(tmp_path / "out" / "gradebook.csv")[0]["points"] == str(POINTS["ps1"])


def test_a_folder_that_submissions_can_read_is_refused(tmp_path):
    with pytest.raises(sandbox.SandboxError, match="which submissions can read: move it"):
        sandbox.check_hidden(os.path.join(sys.prefix, "share", "grades"))
    sandbox.check_hidden(tmp_path)


@pytest.fixture
def quick_probe(monkeypatch):
    """The probe without the imports that only warm the machine up; the batch is probed with all."""
    slow = ", sklearn.datasets, torch, matplotlib.pyplot"
    assert slow in sandbox.PROBE
    monkeypatch.setattr(sandbox, "PROBE", sandbox.PROBE.replace(slow, ""))


@pytest.mark.usefixtures("quick_probe")
def test_a_sandbox_with_a_network_is_noticed(monkeypatch, tmp_path):
    wrap = sandbox.wrap
    monkeypatch.setattr(
        sandbox, "wrap", lambda command: [word for word in wrap(command) if word != "--unshare-net"]
    )
    with pytest.raises(sandbox.SandboxError, match="code can reach the network"):
        sandbox.probe(tmp_path)


def test_nothing_but_sockets_may_lie_among_the_sockets(tmp_path, monkeypatch):
    watch = sandbox.Watch(tmp_path, overhead=2)
    (tmp_path / "kernel.json").write_text("{}")
    assert watch.excess([]) == ""
    (tmp_path / "folder").mkdir()
    told = "it wrote into the folder of its sockets"
    assert watch.excess([]) == told
    (tmp_path / "folder").rmdir()
    (tmp_path / "kernel.json").write_bytes(bytes(2**20))
    assert watch.excess([]) == told
    (tmp_path / "kernel.json").unlink()
    (tmp_path / "kernel.json").mkdir()
    assert watch.excess([]) == told
    (tmp_path / "kernel.json").rmdir()
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with contextlib.ExitStack() as stack:
        for number in range(sandbox.SOCKETS + 1):
            assert watch.excess([]) == ""
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.bind(str(number))
    assert watch.excess([]) == told


def test_files_without_a_name_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "DISK", 2**20)
    watch = sandbox.Watch(tmp_path, overhead=2)
    hold = "import os, sys, time\nfd = os.{}\nos.write(fd, bytes(2 * 2**20))\nprint(flush=True)\n"
    for opened in ("memfd_create('x')", f"open({str(tmp_path)!r}, os.O_TMPFILE | os.O_RDWR)"):
        command = [sys.executable, "-c", hold.format(opened) + "time.sleep(60)"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            found = watch.excess([psutil.Process(process.pid)])
            process.kill()
        assert found == "it held more than 1 MB in files without a name"


def test_nothing_of_the_teachers_environment_is_in_the_sandbox(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "topsecret")
    look = "print(open('/proc/self/environ').read(), 'pid', __import__('os').getpid())"
    outside = sandbox.wrap([sys.executable, "-c", look])
    assert outside[:2] == ["/usr/bin/env", "-i"]  # what bubblewrap itself was started with
    done = subprocess.run(outside, capture_output=True, text=True)
    assert "pid" in done.stdout and "topsecret" not in done.stdout, done


def test_what_cannot_be_watched_is_ended(tmp_path):
    watch = sandbox.Watch(tmp_path / "gone", overhead=2)
    process = subprocess.Popen(["sleep", "600"])
    watch.start()
    assert process.wait(timeout=60) == -signal.SIGKILL
    watch.end()
    assert watch.reason == "it could not be watched (FileNotFoundError)"


@pytest.mark.usefixtures("quick_probe")
def test_a_sandbox_that_leaks_is_noticed(monkeypatch, tmp_path):
    tmp_path.chmod(0o755)
    shown = [*sandbox.python_folders(), str(tmp_path)]
    monkeypatch.setattr(sandbox, "python_folders", lambda: shown)
    with pytest.raises(sandbox.SandboxError, match="see the folder of the course"):
        sandbox.probe(tmp_path)


# --- the names of pages


def test_a_name_cannot_leave_the_folder():
    assert report.file_name("a/../b", "1") == "a_.._b_1"
    assert urllib.parse.quote(report.file_name("Ada Lovelace", "")) == "Ada%20Lovelace"


def test_all_problem_sets_are_known():
    assert SETS == sorted(POINTS)
    assert shutil.which("bwrap"), "make bubblewrap installs it"
    assert json.loads((COURSE / "source" / "ps1" / "ps1.ipynb").read_text())["nbformat"] == 4
