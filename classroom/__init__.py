"""The course for teachers: hand out, collect, grade in a sandbox, give back.

`python -m classroom` is `__main__`. In the order in which the work is done:

- hand out: `course`
- find out whose each file is: `collect`, with `names`, `owners` and `roster`
- grade all, some at once: `batch`; one of them: `worker`, with `restore` (its cells), `kernel` and
  `sandbox` (where its code runs) and `checks` (where its answers are compared)
- what a teacher gets: `report`, with `filled` (points given by hand), `overview`, `reading`,
  `similar` and `numbers` (copied answers), `giveback` (Moodle and Canvas); `pages` and `tables` are
  how these are written, and `files` folders

chapters/teaching.md is the guide.
"""
