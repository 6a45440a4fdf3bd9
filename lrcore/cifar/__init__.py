"""All schedulers on CIFAR-10: data, training, comparison and recorded results.

Read it in this order: `data`, `networks`, `training` (the loop), `entries` (the schedulers and
their arguments), `plans` (which runs), `together` (many runs at once, fast), `trainer` (runs to
rows), `store` (their files), `comparison` (what is missing), `cluster` (on many machines),
`results` (the recorded rows), `analysis` (their statistics), `figures`. `recall` is a second
network and its task.

Training needs torch, numpy, filelock and tqdm alone; the download, the recorded rows and the
figures need the other packages of `lrcore[cifar]`. Colab has them all.
"""

from importlib.util import find_spec

NEEDED = ("filelock", "numpy", "tqdm")
if missing := [package for package in NEEDED if find_spec(package) is None]:
    raise ImportError(f'lrcore.cifar needs {", ".join(missing)}: pip install "lrcore[cifar]"')

from lrcore.cifar.comparison import run  # noqa: E402
from lrcore.cifar.data import load  # noqa: E402
from lrcore.cifar.plans import PLANS, Plan  # noqa: E402

__all__ = ["PLANS", "Plan", "load", "run"]
