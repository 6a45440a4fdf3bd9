"""Run a command whose Jupyter kernels start at once: python tools/forked_kernels.py COMMAND ...

The kernel of a chapter spends more time on importing PyTorch and matplotlib than on the chapter.
Here one process imports them, and each kernel that the command starts is a fork of it: a process
of its own with empty names, in which every import is still written and finds its module loaded.
The command knows nothing of it: it finds another kernel "python3" in JUPYTER_PATH. Only on Linux;
elsewhere the command runs as it is, for libraries of macOS do not survive a fork.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from tempfile import TemporaryDirectory

MODULES = (
    "IPython",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "ipywidgets",
    "matplotlib.pyplot",
    "pandas",
    "torch",
    "torch.optim.swa_utils",
    "tqdm.auto",
    "lrcore.explorer",
    "lrcore.schedulers",
    "lrcore.cifar.figures",
    "lrcore.cifar.recall",
    "pscript",
)
# A progress bar ends as a line with times in it. Notebooks share the cores: threads of their own
# would wait for each other, and how many there are changes the last digits of a sum.
SETTINGS = {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
# As kernels have it; and no warning for who debugs in one.
OF_KERNELS = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
MESSAGE = 2**17  # bytes, at most: the environment of a kernel
POLL = 0.1  # seconds


def serve(command):
    """Run `command`; fork a kernel for each that it asks for. Returns its exit status."""
    with TemporaryDirectory(prefix="kernels-") as folder:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(os.path.join(folder, "socket"))
        listener.listen()
        listener.settimeout(POLL)
        running = subprocess.Popen(command, env=environment(folder))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the command, and that ends this
        kernels = set()
        try:
            preload()  # while the command starts: its first kernels wait for this
            while running.poll() is None:
                kernels -= {kernel for kernel in kernels if os.waitpid(kernel, os.WNOHANG)[0]}
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    kernels.add(fork_kernel(connection, listener))
        finally:
            running.kill()
            for kernel in kernels:
                os.kill(kernel, signal.SIGKILL)
    return running.wait()


def preload():
    """Import what chapters import, also what PyTorch itself imports only at the first step."""
    import importlib  # here, as others below: the process that Jupyter starts needs none of it

    os.environ |= OF_KERNELS
    for name in MODULES:
        with contextlib.suppress(ModuleNotFoundError):  # not every environment has everything
            importlib.import_module(name)
    import torch

    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1).step()
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise SystemExit(f"{threads} threads run, and a fork could wait for one of them for ever")


def environment(folder):
    """The environment of the command, where the kernel "python3" is what `start` starts."""
    kernel = os.path.join(folder, "kernels", "python3")
    os.makedirs(kernel)
    this = [sys.executable, "-I", os.path.abspath(__file__)]
    argv = [*this, "--start", os.path.join(folder, "socket"), "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    with open(os.path.join(kernel, "kernel.json"), "w") as file:
        json.dump(spec, file)
    path = os.pathsep.join([folder, *filter(None, [os.environ.get("JUPYTER_PATH")])])
    return {**os.environ, **OF_KERNELS, "JUPYTER_PATH": path}


def fork_kernel(connection, listener):
    """Start a kernel for the process at the other end of `connection`; return its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        listener.close()
        run_kernel(connection)
        status = 0
    finally:
        os._exit(status)


def run_kernel(connection):
    """In the fork: become what the process at the other end would have been, and be its kernel."""
    import threading

    message, files, *_ = socket.recv_fds(connection, MESSAGE, 3)
    asked = json.loads(message)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.path[0] = ""  # this folder, as for every kernel, and not that of this file
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = filter(None, paths)
    threading.Thread(target=follow, args=[connection], daemon=True).start()

    from ipykernel.kernelapp import IPKernelApp

    # it ends with its parent
    parent = f"--IPKernelApp.parent_handle={os.getppid()}"
    IPKernelApp.launch_instance([*asked["arguments"], parent])


def follow(connection):
    """Pass interrupts on, and end with the process at the other end: only that one is killed."""
    while connection.recv(1):
        os.kill(os.getpid(), signal.SIGINT)
    os.killpg(0, signal.SIGKILL)


def start(path, *arguments):
    """What Jupyter starts and ends in place of a kernel."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(path)
        asked = {
            "environment": dict(os.environ),
            "folder": os.getcwd(),
            "arguments": arguments,
        }
        socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])

        def interrupt(number, frame):
            with contextlib.suppress(BrokenPipeError):  # the kernel has just ended
                server.send(b"!")

        signal.signal(signal.SIGINT, interrupt)
        try:
            server.recv(1)  # nothing is sent: it ends when the kernel does
        except ConnectionResetError:  # and it died
            pass


if __name__ == "__main__":
    if sys.argv[1:2] == ["--start"]:
        start(*sys.argv[2:])
    else:
        os.environ |= SETTINGS
        sys.exit((serve if sys.platform == "linux" else subprocess.call)(sys.argv[1:]))
