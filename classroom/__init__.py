"""Hand out and grade the problem sets in assignments/, with nbgrader.

    python -m classroom release [--to FOLDER]
    python -m classroom grade FOLDER [--to FOLDER]
"""
