"""The sandbox that a submission's kernel runs in: bubblewrap, resource limits, and a watch.

Only the kernel is inside. What sends it cells, the expected values and the gradebook stay outside;
they talk to the kernel through sockets in a folder that both see. Inside there is no
network, the rest of the machine is not seen but for the system and Python (read-only), and the only
place to write to is a small /tmp, which ends with the sandbox.
"""

import contextlib
import functools
import itertools
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

MEMORY = 2 * 2**30  # bytes, of each process and of all of them together
DISK = 128 * 2**20  # bytes in /tmp
FILE = 16 * 2**20  # bytes of each file, those in memory too
FILES = 128  # that a process has open
PROCESSES = 32
SOCKETS = 10  # files in the folder of the sockets: the kernel makes five, and kernel.json is there
SECONDS = 120  # for a whole notebook; nbgrader_config.py holds the limit of one cell
FONTS = "/fonts"  # where the sandbox shows the machine's font cache; LAUNCH copies it

# What Python, PyTorch and matplotlib need of the system, and nothing that is personal.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime")

# Started inside, before Python sees any code of a student. Root gives its rights away: the limit
# on processes does not hold for it. It becomes a user that no other submission is, for threads are
# counted by user. (threads: those that the user already runs count too.)
LAUNCH = """
import os, resource, sys
connection, inside, command = sys.argv[1], sys.argv[2] == "inside", sys.argv[8:]
limits = dict(zip(("DATA", "FSIZE", "NOFILE", "NPROC"), map(int, sys.argv[4:8])), CORE=0)
for name, limit in limits.items():
    resource.setrlimit(getattr(resource, "RLIMIT_" + name), (limit, limit))
if inside and os.geteuid() == 0:
    if os.path.exists(connection):
        os.chmod(connection, 0o644)
    os.setgroups([]), os.setgid(65534), os.setuid(int(sys.argv[3]))
if inside and os.path.isdir("/fonts"):
    os.makedirs("/tmp/.cache/matplotlib")
    for name in os.listdir("/fonts"):
        with open("/fonts/" + name) as old, open("/tmp/.cache/matplotlib/" + name, "w") as new:
            new.write(old.read())
os.execv(command[0], command)
"""

# Run once before a batch. The imports also bring PyTorch into the memory of the machine, so that
# the first submission is as fast as the others.
PROBE = """
import json, os, socket, sys, sklearn.datasets, torch, matplotlib.pyplot
def fails(action):
    try:
        action()
    except OSError:
        return True
def read(path):
    try:
        return open(path).read()
    except OSError:
        return ""
print(json.dumps({
    "reach the network": fails(lambda: socket.create_connection(("127.0.0.1", sys.argv[2]), 5)),
    "write to Python's folder": fails(lambda: open(os.path.join(sys.prefix, "probe"), "w")),
    "write to /": fails(lambda: open("/probe", "w")),
    "see the folder of the course": fails(lambda: os.listdir(sys.argv[1])),
    "see what other notebooks ran": not any(map(os.listdir, sys.argv[3:])),
    "see the teacher's environment": not read("/proc/1/environ"),
}))
"""


class SandboxError(Exception):
    """There is no working sandbox: the message says why, and what to do."""


def bubblewrap():
    """Path of bubblewrap's command. Raises SandboxError where there is none."""
    path = shutil.which("bwrap")
    if not path:
        raise SandboxError(
            "Submissions are run in a sandbox, and bubblewrap is not installed (on Debian and "
            "Ubuntu: apt install bubblewrap). Nothing was run."
        )
    return path


def python_folders():
    """The folders that hold this Python and its packages."""
    named = {sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))}
    named |= {path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")}
    folders = named | {os.path.realpath(path) for path in named}
    inside = {path for path in folders if folders & set(map(str, Path(path).parents))}
    return sorted(folders - inside)


def private_folders():
    """Folders of the teacher among Python's own: the history of kernels, where make keeps it."""
    named = {os.path.join(sys.prefix, "ipython"), os.environ.get("IPYTHONDIR", "")}
    return sorted(
        path for path in map(os.path.realpath, filter(os.path.isdir, named))
        if any(os.path.commonpath([path, shown]) == shown for shown in python_folders())
    )  # fmt: skip


def shown_folders():
    """All folders that a submission can read."""
    return [os.path.realpath(path) for path in (*SYSTEM, *python_folders())]


def check_hidden(*folders):
    """Raise SandboxError if a submission could read one of `folders`, or what it holds."""
    for folder in map(os.path.realpath, folders):
        for shown in shown_folders():
            if os.path.commonpath([folder, shown]) == shown:
                raise SandboxError(f"{folder} lies in {shown}, which submissions can read: move it")


def environment():
    """The variables of the kernel: nothing of the teacher's own."""
    path = os.pathsep.join([os.path.dirname(sys.executable), "/usr/bin", "/bin"])
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return {"PATH": path, "HOME": "/tmp", "USER": "student", "LANG": "C.UTF-8", **one}


def threads_of_user():
    """How many threads this user runs: where the kernel counts them, its limit has to be higher."""
    if os.geteuid() == 0:
        return 0
    return sum(
        process.info["num_threads"] or 0
        for process in psutil.process_iter(["uids", "num_threads"])
        if process.info["uids"] and process.info["uids"].real == os.getuid()
    )


def launch(command, connection, where="outside"):
    """`command` behind the resource limits of a process; `where` is "inside" in a sandbox."""
    threads = threads_of_user() + 8 * PROCESSES
    user = 20000 + os.getpid() % 40000
    limits = [connection, where, *map(str, (user, MEMORY, FILE, FILES, threads))]
    return [sys.executable, "-I", "-S", "-c", LAUNCH, *limits, *command]


def wrap(command, shared=None, connection="-"):
    """`command` in a sandbox, as a list of arguments.

    `shared` is the one folder that inside and outside can both write to, for sockets.
    """
    # bubblewrap itself is process 1 inside, and what it was started with can be read there
    arguments = ["/usr/bin/env", "-i", bubblewrap(), "--die-with-parent", "--new-session"]
    arguments += [f"--unshare-{name}" for name in ("ipc", "pid", "net", "uts", "cgroup-try")]
    for name, value in environment().items():
        arguments += ["--setenv", name, value]
    if os.geteuid() == 0:
        arguments += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        arguments += ["--unshare-user"]
    for path in SYSTEM:
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            arguments += ["--ro-bind", path, path]
    arguments += ["--perms", "0755", "--dir", "/etc"]
    for path in SETTINGS:
        arguments += ["--ro-bind-try", path, path]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    arguments += ["--size", str(DISK), "--perms", "1777", "--tmpfs", "/tmp"]
    for path in python_folders():
        arguments += [*parents(path), "--ro-bind", path, path]
    for path in private_folders():
        arguments += ["--tmpfs", path]
    if font_cache():
        arguments += ["--ro-bind", font_cache(), FONTS]
    if shared:
        arguments += [*parents(shared), "--bind", shared, shared]
    # the root that bubblewrap made is a file system in memory
    arguments += ["--remount-ro", "/", "--chdir", "/tmp", "--"]
    return arguments + launch(command, connection, "inside")


def parents(path):
    """Arguments that make the folders above `path`; by itself bubblewrap closes them to others."""
    above = [str(folder) for folder in reversed(Path(path).parents)]
    wanted = [folder for folder in above if folder not in ("/", "/tmp", *SYSTEM)]
    return [word for folder in wanted for word in ("--perms", "0755", "--dir", folder)]


@functools.cache
def font_cache():
    """Matplotlib's folder of caches: without it, each first figure takes seconds and says so."""
    import matplotlib  # takes a while, and only the process that prepares a batch needs it

    folder = matplotlib.get_cachedir()
    return folder if folder and list(Path(folder).glob("fontlist*")) else None


def probe(course):
    """Try the sandbox. Raises SandboxError if it does not start, or keeps less in than it must."""
    with socket.create_server(("127.0.0.1", 0)) as server:  # which only a shared network reaches
        port = str(server.getsockname()[1])
        command = wrap([sys.executable, "-c", PROBE, str(course), port, *private_folders()])
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SandboxError(
            f"bubblewrap cannot make a sandbox here: {last}\n"
            "It needs version 0.7 or newer, and user namespaces for ordinary users. On Ubuntu "
            "24.04: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0. In a "
            "container: --security-opt seccomp=unconfined --security-opt systempaths=unconfined "
            "(chapters/teaching.md). Nothing was run."
        )
    kept = json.loads(done.stdout.splitlines()[-1])
    able = [action for action, failed in kept.items() if not failed]
    if able:
        raise SandboxError(f"The sandbox leaks: inside, code can {', '.join(able)}.")


class Watch(threading.Thread):
    """Kills what this process started when it outgrows a limit, and remembers why.

    It looks a few times a second at all processes below this one. `overhead` of them are
    bubblewrap's own.
    """

    def __init__(self, shared, overhead, seconds=SECONDS):
        super().__init__(daemon=True)
        self.shared = Path(shared)
        self.overhead = overhead
        self.until = time.monotonic() + seconds
        self.seconds = seconds
        self.reason = ""
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.2):
            below = psutil.Process().children(recursive=True)
            try:
                reason = self.excess(below)
            except Exception as error:  # nothing may run unwatched
                reason = f"it could not be watched ({type(error).__name__})"
            if reason:
                self.kill(reason, below)

    def excess(self, processes):
        """Which limit is passed, in words, or ""."""
        if time.monotonic() > self.until:
            return f"it ran for more than {self.seconds:.0f} seconds"
        if len(processes) > PROCESSES + self.overhead:
            return f"it started more than {PROCESSES} processes"
        if sum(map(resident, processes)) > MEMORY and sum(map(its_share, processes)) > MEMORY:
            return f"its processes took more than {MEMORY // 2**20} MB of memory"
        with os.scandir(self.shared) as entries:
            inside = list(itertools.islice(entries, SOCKETS + 1))
        if len(inside) > SOCKETS or not all(map(belongs, inside)):
            return "it wrote into the folder of its sockets"
        if sum(map(unnamed, processes)) > DISK:
            return f"it held more than {DISK // 2**20} MB in files without a name"
        return ""

    def end(self):
        """Stop watching, and end what still runs."""
        self.ended.set()
        if self.is_alive():
            self.join()
        self.kill("")

    def kill(self, reason, below=None):
        """End everything below this process; the first reason counts."""
        self.reason = self.reason or reason
        for process in below or psutil.Process().children(recursive=True):
            try:
                process.kill()
            except psutil.Error:
                pass


def belongs(entry):
    """Whether it is a socket of the kernel, or the file that says where they are."""
    found = entry.stat(follow_symlinks=False)
    is_file = entry.name == "kernel.json" and stat.S_ISREG(found.st_mode)
    return stat.S_ISSOCK(found.st_mode) or is_file and found.st_size < 2**16


def unnamed(process):
    """Bytes in open files that have no name, such as those in memory: no limit on a disk counts
    them."""
    total = 0
    folder = f"/proc/{process.pid}/fd"
    with contextlib.suppress(OSError):  # it may end meanwhile
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):  # and so may each file: the others count
                found = os.stat(f"{folder}/{name}")
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    total += 512 * found.st_blocks
    return total


def resident(process):
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def its_share(process):
    """Like `resident`, but memory that several processes share counts once. Takes longer."""
    try:
        return process.memory_full_info().pss
    except psutil.AccessDenied:
        return resident(process)
    except psutil.Error:
        return 0
