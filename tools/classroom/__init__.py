"""Hand out and grade the problem sets in assignments/, with nbgrader.

    python tools/classroom release [--to FOLDER]
    python tools/classroom grade FOLDER [--to FOLDER]
"""
