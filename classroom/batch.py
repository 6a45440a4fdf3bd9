"""Grade a whole batch: some submissions at once, each kept on disk as soon as it is done."""

import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from classroom import checks, filled, kernel, report, sandbox, worker
from classroom import course as course_module
from classroom.collect import collect
from classroom.course import COURSE, CourseError
from classroom.names import readable
from lrcore.files import write_whole

SPARE = 60  # seconds beyond the limit of a notebook until its whole process is ended


class Kept:
    """The outcomes of a batch, one file each: what is there need not be done again."""

    def __init__(self, folder, fingerprints, in_sandbox):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.fingerprints = fingerprints
        self.in_sandbox = in_sandbox

    def path(self, submission):
        digest = hashlib.sha256("\0".join(submission.key).encode()).hexdigest()[:16]
        return self.folder / f"{submission.name.replace('?', 'unknown')}-{digest}.json"

    def made_from(self, submission):
        """All that an outcome depends on."""
        made_from = {
            "key": list(submission.key),
            "file": submission.digest,
            "course": self.fingerprints.get(submission.name, ""),
            "sandbox": self.in_sandbox,
        }
        if submission.problem:
            made_from["problem"] = submission.problem
        return made_from

    def load(self, submission):
        """The outcome for exactly this file and course, or None."""
        try:
            record = json.loads(self.path(submission).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record["outcome"] if record["made_from"] == self.made_from(submission) else None

    def save(self, submission, outcome):
        record = {"made_from": self.made_from(submission), "outcome": outcome}
        write_whole(self.path(submission), json.dumps(record, indent=1) + "\n")


def grade_folder(folder, target, *, only=None, roster=None, latest=False, written=None,
                 in_sandbox=True, again=False, jobs=None, seconds=sandbox.SECONDS,
                 course=COURSE):  # fmt: skip
    """Grade all notebooks below `folder`; write gradebook, answers and feedback to `target`.

    What `target` already holds for the same files is not graded again, except, with `again`, what
    could not be graded. `only`, `roster` and `latest` are those of `collect`, `written` is a file
    to read in place of written.csv. Returns the rows of the gradebook. Raises CourseError or
    SandboxError if the folder, the roster, the course, the sandbox, or what a teacher filled in is
    not as it should be: then no result was changed.
    """
    folder, target = Path(folder).resolve(), Path(target).resolve()
    sets = course_module.problem_sets(course)
    if only and only not in sets:
        raise CourseError(f"there is no problem set {only!r}: there are {', '.join(sets)}")
    if target == folder or folder in target.parents:
        raise CourseError(f"{readable(target)} lies in the folder of the submissions: name another")
    collected = collect(folder, sets, only, roster=roster, latest=latest)
    if in_sandbox:
        sandbox.bubblewrap()
        sandbox.check_hidden(folder, target, course)
    filled.read_given(target, written)  # raises before work is done if points there are wrong

    target.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(target / ".lock", timeout=0):
            fingerprints = {name: course_module.fingerprint(course, name) for name in sets}
            kept = Kept(target / "outcomes", fingerprints, in_sandbox)
            outcomes = {}
            for submission in collected.submissions:
                old = kept.load(submission)
                if old and not (again and old["status"] != "graded"):
                    outcomes[submission.key] = old
            todo = [one for one in collected.submissions if one.key not in outcomes]
            if outcomes:
                print(f"{len(outcomes)} already done, {len(todo)} to grade")
            write = partial(report.write, target, folder, collected.submissions, outcomes,
                            written=written, course=course)  # fmt: skip
            try:
                grade_all(todo, outcomes, kept, course, in_sandbox, jobs or os.cpu_count(), seconds)
            except KeyboardInterrupt:
                for one in collected.submissions:
                    outcomes.setdefault(one.key, worker.nothing(report.NOT_YET))
                write()
                raise
            rows = write()
    except Timeout:
        raise CourseError(f"another run is grading into {readable(target)}") from None
    for text in [*collected.said, *report.other_versions(collected.submissions, outcomes)]:
        print(readable(text))
    for path in collected.ignored:
        print(f"Not a notebook, left alone: {readable(path)}")
    return rows


def grade_all(todo, outcomes, kept, course, in_sandbox, jobs, seconds):
    """Grade the submissions in `todo`, `jobs` at once; add to `outcomes` and to `kept`."""

    def finish(submission, outcome):
        kept.save(submission, outcome)
        outcomes[submission.key] = outcome
        bar.update()

    if not todo:
        return
    gradable = [one for one in todo if not one.problem]
    with tempfile.TemporaryDirectory(prefix="lr-course-") as template:
        Path(template, "owner").write_text(str(os.getpid()))
        if gradable:
            prepare(course, sorted({one.name for one in gradable}), template, in_sandbox)
        tqdm.monitor_interval = 0  # no thread of its own
        with tqdm(total=len(todo), unit="submission") as bar:
            for one in todo:
                if one.problem:
                    finish(one, worker.nothing(one.problem))
            grade_each(gradable, jobs, seconds, (course, template, in_sandbox), finish)


def prepare(course, names, template, in_sandbox):
    """Make the copy of the course in `template` and the judges, and try the sandbox meanwhile."""
    with ThreadPoolExecutor(1) as beside:  # its thread ends before the first fork
        probing = beside.submit(sandbox.probe, course) if in_sandbox else None
        course_module.build(course, names, template)
        exec(kernel.WARM_UP, {})  # once here, and not in each fork
        for name in names:
            checks.judge(course, name)
        if probing:
            probing.result()


def grade_each(todo, jobs, seconds, given, finish):
    """One process for each submission, `jobs` at once. All end with this function."""
    # A fork has PyTorch loaded already; this process runs no thread that a fork could break.
    context = multiprocessing.get_context("fork")
    course, template, in_sandbox = given
    waiting = list(reversed(todo))
    running = {}  # pipe -> (submission, process, when it must have ended)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                submission = waiting.pop()
                receive, send = context.Pipe(duplex=False)
                what = (submission.name, submission.path, in_sandbox, seconds)
                arguments = (send, course, template, *what)
                process = context.Process(target=worker.run_alone, args=arguments)
                process.start()
                send.close()
                running[receive] = (submission, process, time.monotonic() + seconds + SPARE)
            for receive in wait(list(running), timeout=1):
                submission, process, _ = running.pop(receive)
                try:
                    outcome = receive.recv()
                except (EOFError, OSError):
                    outcome = worker.nothing("the grader ended without an answer (out of memory?)")
                process.join(10)
                process.kill()
                receive.close()
                finish(submission, outcome)
            for receive, (submission, process, until) in list(running.items()):
                if time.monotonic() > until:
                    process.kill()
                    process.join()
                    running.pop(receive)
                    finish(submission, worker.nothing(f"it ran for more than {seconds} seconds"))
    finally:
        for _, process, _ in running.values():
            process.kill()
            process.join()
        for pattern in ("lr-grade-*", "lr-course-*"):
            for path in Path(tempfile.gettempdir()).glob(pattern):
                if owner_is_gone(path):
                    shutil.rmtree(path, ignore_errors=True)


def owner_is_gone(path):
    """Whether the process that made a folder for a while has ended (the folder names it)."""
    try:
        owner = int((path / "owner").read_text())
    except (OSError, ValueError):
        return False
    try:
        os.kill(owner, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
