"""Settings of nbgrader for this course. `make assignments` and `make grade` read them too."""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "lr-schedulers"

# A cell that runs longer ends with an error, and the next cells still run.
c.Execute.timeout = 10  # seconds

# Checks that a student deleted come back; without this their points would silently be lost.
c.OverwriteCells.add_missing_cells = True

c.LimitOutput.max_lines = 200
c.LimitOutput.max_traceback = 50

c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"
