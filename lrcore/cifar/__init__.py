"""All schedulers on CIFAR-10: data, training, comparison and recorded results.

Read it in this order: `data`, `training` (the network and the loop), `entries` (the schedulers
and their arguments), `plans` (which runs), `comparison` (making them), `cluster` (on many
machines), `results` (the recorded rows and their statistics), `figures`.

Needs the extra packages of `lrcore[cifar]`; Colab has them all.
"""

from importlib.util import find_spec

NEEDED = ("filelock", "jsonschema", "numpy", "pandas", "PIL", "pooch", "scipy", "tqdm")
if missing := [package for package in NEEDED if find_spec(package) is None]:
    raise ImportError(f'lrcore.cifar needs {", ".join(missing)}: pip install "lrcore[cifar]"')

from lrcore.cifar.comparison import run  # noqa: E402
from lrcore.cifar.data import load  # noqa: E402
from lrcore.cifar.plans import PLANS, Plan  # noqa: E402

__all__ = ["PLANS", "Plan", "load", "run"]
