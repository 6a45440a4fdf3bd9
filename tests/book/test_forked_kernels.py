"""tools/forked_kernels.py: its kernels are like others, and none outlives its notebook."""

import subprocess
import sys

import psutil
import pytest
from conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")

# What is asked of these kernels needs no PyTorch, and loading it takes seconds.
SERVE = """
import sys
sys.path.insert(0, "tools")
import forked_kernels
forked_kernels.preload = lambda: None
sys.exit(forked_kernels.serve([sys.executable, "-c", sys.argv[1]]))
"""
# In the command: a kernel, what a piece of code prints in it, and the two processes that it is.
KERNEL = """
import os, signal, time
import psutil
from jupyter_client.manager import start_new_kernel
def run(code):
    printed = []
    def note(message):
        content = message["content"]
        printed.append(content.get("text") or content.get("ename") or "")
    client.execute_interactive(code, timeout=60, output_hook=note)
    return "".join(printed).strip()
def ended(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
def new_kernel(**where):
    return start_new_kernel(extra_arguments=["--log-level=ERROR"], **where)
manager, client = new_kernel()
fork = psutil.Process(int(run("import os; print(os.getpid())")))
(starter,) = psutil.Process().children()
"""


def run(*code):
    command = [sys.executable, "-c", *code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def serve(code):
    """The lines that the command prints, which must end well."""
    done = run(SERVE, KERNEL + code)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def test_a_kernel_is_a_process_of_its_own_where_it_was_asked_for(monkeypatch, tmp_path):
    (tmp_path / "some_module.py").touch()
    start_up = tmp_path / "profile_default" / "startup"
    start_up.mkdir(parents=True)
    (start_up / "first.py").write_text("started = 'start-up ran'")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    assert serve(
        """
os.environ["RATE"] = "0.1"
_, client = new_kernel(cwd="tests")
print(run("print(os)"))
print(run("import os; print(os.getcwd(), os.environ['RATE'], __name__, started)"))
print(run("import some_module, matplotlib; print(matplotlib.get_backend())"))
print(run("print(os.getppid())") == str(os.getppid()), fork.ppid() == os.getppid())
"""
    ) == [
        "NameError",
        f"{ROOT / 'tests'} 0.1 __main__ start-up ran",
        "module://matplotlib_inline.backend_inline",
        "True True",
    ]


def test_a_kernel_ends_when_it_is_shut_down_or_killed():
    assert serve(
        """
manager.shutdown_kernel()
wait_for(lambda: ended(fork))
manager, client = new_kernel()
fork = psutil.Process(int(run("import os; print(os.getpid())")))
pid = run("import subprocess; print(subprocess.Popen(['sleep', '600']).pid)")
below = psutil.Process(int(pid))
manager.shutdown_kernel(now=True)
wait_for(lambda: ended(fork) and ended(below))
print("ended")
"""
    ) == ["ended"]


def test_a_kernel_that_dies_is_seen_to_be_dead():
    assert serve(
        """
client.execute("import os; os._exit(1)")
wait_for(lambda: not manager.is_alive())
print("dead")
"""
    ) == ["dead"]


def test_a_cell_can_be_interrupted():
    assert serve(
        """
import threading
threading.Timer(1, manager.interrupt_kernel).start()
print(run("import time; time.sleep(60)"))
print(run("print('alive')"))
"""
    ) == ["KeyboardInterrupt", "alive"]


def test_no_kernel_outlives_the_command_and_its_exit_status_is_passed_on():
    done = run(SERVE, KERNEL + "print(fork.pid)\nos._exit(7)")
    assert done.returncode == 7, done.stderr
    pid = int(done.stdout)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


PRELOAD = """
import os, sys, threading, time
sys.path.insert(0, "tools")
import forked_kernels
os.environ |= forked_kernels.SETTINGS
forked_kernels.preload()
print(*sorted({"torch._dynamo", "pandas", "lrcore.cifar.figures"} - set(sys.modules)))
threading.Thread(target=time.sleep, args=[60], daemon=True).start()
forked_kernels.preload()
"""


def test_what_chapters_import_is_loaded_before_and_without_threads():
    """The slowest is _dynamo, which PyTorch imports when an optimizer first steps."""
    done = run(PRELOAD)
    assert (done.returncode, done.stdout) == (1, "\n")
    assert done.stderr == "2 threads run, and a fork could wait for one of them for ever\n"
