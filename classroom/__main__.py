"""The commands: see `python -m classroom --help`."""

import argparse
import sys
from pathlib import Path

from classroom import batch, sandbox
from classroom.course import COURSE, CourseError, release
from classroom.names import readable
from classroom.report import NOBODY

WARNING = """
  *** WITHOUT A SANDBOX ***
  The code in these notebooks runs as you: it can read and change your files, use the network,
  and see the other submissions. Do this only with notebooks that you trust.
"""

LISTED = 20  # of those who handed in nothing
RESULTS = {
    "gradebook.csv": "points and status of each student",
    "feedback": "a page for each student",
    "overview.html": "how many passed each check, and what the others were told",
    "points.csv": "the points of each check: change them in the column override",
    "written.html": "the written answers, to be read and given points",
    "similar.html": "answers that are much alike",
    "return": "to be uploaded to Moodle or Canvas",
}


def parser():
    main = argparse.ArgumentParser(prog="classroom", description="Hand out and grade problem sets.")
    commands = main.add_subparsers(dest="command", required=True)
    one = commands.add_parser("release", help="write the student versions of all problem sets")
    one.add_argument("--to", type=Path, default=COURSE / "handouts", metavar="FOLDER")
    one = commands.add_parser("grade", help="grade a folder of collected notebooks")
    one.add_argument("folder", type=Path, help="what the learning platform gave, unpacked")
    one.add_argument("--to", type=Path, metavar="FOLDER", help="for the results")
    one.add_argument("--set", metavar="NAME", help="the problem set that all of them are")
    one.add_argument("--roster", type=Path, metavar="FILE",
                     help="CSV of the class (id, name): says who handed in nothing")  # fmt: skip
    one.add_argument("--latest", action="store_true",
                     help="of several attempts that a platform dated, take the last")  # fmt: skip
    one.add_argument("--written", type=Path, metavar="FILE",
                     help="points that you saved from written.html")  # fmt: skip
    one.add_argument("--again", action="store_true", help="try those that could not be graded")
    one.add_argument("--jobs", type=int, metavar="N", help="at once; default: the number of cores")
    one.add_argument("--seconds", type=int, default=sandbox.SECONDS, help="limit of one notebook")
    one.add_argument("--without-sandbox", action="store_true", help="DANGEROUS: run as yourself")
    return main


def grade(options):
    for name in ("jobs", "seconds"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise CourseError(f"--{name} must be at least 1, got {value}")
    folder = options.folder.expanduser().resolve()
    target = options.to or folder.with_name(folder.name + "-grades")
    if options.without_sandbox:
        print(WARNING, file=sys.stderr)
    roster = options.roster and options.roster.expanduser()
    rows = batch.grade_folder(
        folder, target, only=options.set, roster=roster, latest=options.latest,
        written=options.written and options.written.expanduser(),
        in_sandbox=not options.without_sandbox, again=options.again, jobs=options.jobs,
        seconds=options.seconds,
    )  # fmt: skip
    statuses = ["graded", "needs hand grading", "not graded"]
    for status in [*statuses, "not handed in"] if roster else statuses:
        print(f"{sum(row['status'] == status for row in rows):4} {status}")
    missing = [row for row in rows if row["status"] == "not handed in"]
    for row in [*(row for row in rows if row["status"] == "not graded"), *missing[:LISTED]]:
        who = row["file"] if row["student"] == NOBODY else row["student"]
        print(readable(f"     {who}, {row['problem set']}: {row['reason']}"))
    if len(missing) > LISTED:
        print(f"     … and {len(missing) - LISTED} more: see gradebook.csv")
    print(f"The results are in {readable(target)}:")
    for name, what in RESULTS.items():
        if Path(target, name).exists():
            print(f"     {name:15} {what}")
    if any(row["status"] == "needs hand grading" for row in rows):
        print("Read the answers in written.html. Save its points there as written.csv, or name the "
              "file that you saved\nwith --written, and run the same command again.")  # fmt: skip


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        if options.command == "release":
            for path in release(options.to):
                print(readable(path))
        else:
            grade(options)
    except (CourseError, sandbox.SandboxError) as error:
        sys.exit(readable(error, lines=True))
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
