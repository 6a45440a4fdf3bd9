"""The command line: python -m lrcore.cifar run --plan NAME."""

import argparse
import sys

from lrcore.cifar.comparison import run
from lrcore.cifar.plans import PLANS


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m lrcore.cifar", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run", help="make the runs of a plan that are missing")
    plans = "; ".join(f"{plan.name}: {plan.about}" for plan in PLANS.values())
    command.add_argument("--plan", required=True, choices=PLANS, help=plans)
    command.add_argument("--data", metavar="DIR", help='folder with CIFAR-10, or "sample"')
    command.add_argument("--results", metavar="DIR", help="default: results/PLAN")
    command.add_argument("--limit", metavar="N", type=int, help="end after N new runs")
    command.add_argument("--cluster", metavar="ADDRESS", help='a Ray cluster, or "local"')
    command.add_argument("--minutes", metavar="N", type=float, help="end within N minutes")
    command.add_argument("--out", metavar="FILE", help="all rows in one file; goes on from it")
    options = parser.parse_args(arguments)
    try:
        settings = vars(options)
        del settings["command"]
        rows = run(**settings)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted. Start it again to go on: finished runs are kept.")
    print(f"{len(rows)} runs are recorded.")


if __name__ == "__main__":
    main()
