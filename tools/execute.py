"""Run notebooks in place: make execute [CHAPTERS="NOTEBOOK ..."] (none named: all of chapters/).

What is stored depends on the sources alone, so that running twice gives no diff: no times, no
kernel or editor details, no widget state. A notebook that fails keeps its old text. `make` runs
this with the settings and the kernels of tools/forked_kernels.py.
"""

import asyncio
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from lrcore.files import write_whole

CELL_TIMEOUT = 120  # seconds, as in tests/nbval.args
AT_ONCE = 2  # notebooks
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# The metadata of a cell that an author writes. The rest (times, folding, ids of editors) is noise.
CELL_METADATA = {"tags", "mystnb"}
# Enough for any tool to open the notebook; versions would differ between machines.
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def merged_streams(outputs):
    """Join consecutive prints: how they were cut up is a matter of time."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def clean(notebook):
    """Remove from `notebook`, in place, what another run or another machine would change."""
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    for cell in notebook.cells:
        kept = {key: value for key, value in cell.metadata.items() if key in CELL_METADATA}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type != "code":
            continue
        cell.outputs = merged_streams(cell.outputs)
        for output in cell.outputs:
            # The HTML form shows the same without a kernel, and has no random id.
            if "text/html" in output.get("data", {}):
                output.data.pop(WIDGET_VIEW, None)


async def execute(path):
    """Run the notebook at `path` in its own folder and store it with its outputs.

    Cells tagged nbval-skip (they set up Colab) are run too: elsewhere they do nothing.
    Raises nbclient's errors; the file is then as before.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_TIMEOUT,
        record_timing=False,
        store_widget_state=False,
        shutdown_kernel="immediate",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    await client.async_execute()
    clean(notebook)
    nbformat.validate(notebook)
    write_whole(path, nbformat.writes(notebook).rstrip("\n") + "\n")


async def execute_all(paths):
    """Run the notebooks, some at once; return the names of those that failed."""
    free = asyncio.Semaphore(AT_ONCE)
    failed = []
    finished = 0

    async def execute_one(path):
        nonlocal finished
        problem = ""
        async with free:
            try:
                await execute(path)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                failed.append(path.name)
                problem = f" FAILED, left as it was\n    {reason(error)}"
        finished += 1
        print(f"[{finished}/{len(paths)}] {path.name}{problem}", flush=True)

    await asyncio.gather(*(execute_one(path) for path in paths))
    return sorted(failed)


def reason(error):
    """The end of what went wrong, without the colours of a terminal."""
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}"
    return str(error) or type(error).__name__


def main(arguments):
    paths = [Path(name).resolve() for name in arguments]
    if not paths:
        paths = sorted((Path(__file__).resolve().parent.parent / "chapters").glob("*.ipynb"))
    missing = [str(path) for path in paths if not path.is_file()]
    if missing or not paths:
        sys.exit(f"No such notebook: {', '.join(missing) or 'chapters/*.ipynb'}")

    failed = asyncio.run(execute_all(paths))
    if failed:
        sys.exit(f"{len(failed)} of {len(paths)} notebooks failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
