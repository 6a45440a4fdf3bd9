"""What goes back to Moodle and Canvas, ready to be uploaded: the folder `return` of the results.

Only for students whose file came from that platform, as the name of the file or folder says, and
whose points are complete. What each platform takes is what its source says:

- Moodle's zip (`mod/assign/feedback/file/importziplib.php`) finds a student by the folder's name,
  as it was downloaded. Its grading worksheet (`feedback/offline/importgradeslib.php`) has commas,
  and must have the columns Identifier, Grade and Last modified (grade), with English names.
- Canvas' zip (`infer_comment_context_from_filename`) finds a student by the two numbers in a file's
  name. It gives the file to the student under the name of what was handed in (`display_name`): so
  it must be a notebook. Canvas' gradebook (`gradebook_importer.rb`) has the columns below before
  those of the assignments, and finds a student by ID.

Either may take an empty grade for one that is to be cleared: such rows are left out.
"""

import html
import io
import re
import zipfile
from collections import defaultdict

import nbformat

from classroom.filled import points_text
from classroom.names import MOODLE, Named, by_platform, of_match, readable, without_ending
from classroom.owners import same
from classroom.pages import render
from classroom.tables import as_csv
from lrcore.files import write_whole

MOODLE_GRADES = ["Identifier", "Full name", "Grade", "Maximum grade", "Last modified (grade)"]
COMMENTS = "Feedback comments"
CANVAS_STUDENT = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
OURS = re.compile(r"(moodle|canvas)_(feedback_.+\.zip|grades_.+\.csv)")
EXPLAINED = (
    "A check that ends in -check is one that you could see, one that ends in -hidden does the same "
    "with other numbers. Steps count from 0. “Right, with a correct answer to … in place of yours” "
    "means that only your answer to this exercise counted, and not a slip in an earlier one."
)
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the date of each file in a zip: equal results, equal bytes


def give_back(folder, target, parts):
    """Write the files to `target`, and take away those of an earlier run that are none now.

    `parts` is [(submission, its row of the gradebook, its questions under their headings), ...],
    and `folder` that of the submissions.
    """
    files = {}
    found = defaultdict(list)
    for submission, row, sections in parts:
        if row["status"] == "graded" and (place := place_of(submission, folder)):
            found[place[0], submission.name].append((*place[1:], row, sections))
    for (platform, name), given in found.items():
        if platform == "Moodle":
            pages = {
                place: render("feedback.html", student=row["student"], parts=[(row, sections)],
                              explained=EXPLAINED)
                for place, _, row, sections in given
            }  # fmt: skip
            files[f"moodle_grades_{name}.csv"] = moodle_grades(given)
        else:
            pages = {place: notebook(row, sections) for place, _, row, sections in given}
            if with_number := [one for one in given if one[1]]:  # an anonymous student has none
                files[f"canvas_grades_{name}.csv"] = canvas_grades(name, with_number)
        files[f"{platform.lower()}_feedback_{name}.zip"] = zipped(pages)
    if files:
        target.mkdir(exist_ok=True)
    for name, content in files.items():
        write_whole(target / name, content)
    for path in target.glob("*"):
        if OURS.fullmatch(path.name) and path.name not in files:
            path.unlink()


def place_of(submission, folder):
    """The platform that a submission is from, the name of its feedback there, the student's number.

    None for a file that is from neither, or whose name is another student's.
    """
    if not submission.path or not submission.student:
        return None
    *folders, name = submission.path.relative_to(folder).parts
    who = (submission.student, submission.id)
    for part in folders:
        match = MOODLE.fullmatch(part)
        if match and of_match(match).who == who and is_utf8(part):
            return "Moodle", f"{part}/feedback.html", match["id"]
    match = MOODLE.fullmatch(without_ending(name))
    if match and of_match(match).who == who and is_utf8(name):
        before = name[: match.end("id")]  # how old versions of Moodle named files
        return "Moodle", f"{before}_assignsubmission_file_feedback.html", match["id"]
    told = by_platform(name, in_folder=False)
    if told and told.platform == "Canvas" and same(told, Named(*who, "Canvas")) and is_utf8(name):
        return "Canvas", name, told.id
    return None


def is_utf8(name):
    """Whether a zip can hold the name, and the platform knows it again."""
    return readable(name) == name


def moodle_grades(given):
    comments = [comment_of(sections) for *_, sections in given]
    columns = [*MOODLE_GRADES, COMMENTS] if any(comments) else MOODLE_GRADES
    rows = [
        {
            "Identifier": f"Participant {number}",
            "Full name": row["student"],
            "Grade": row["points"],
            "Maximum grade": row["of"],
            "Last modified (grade)": "",  # so a grade that is there already is not overwritten
            COMMENTS: comment,
        }
        for (_, number, row, _), comment in zip(given, comments, strict=True)
    ]
    return as_csv(columns, rows).removeprefix("\ufeff")


def comment_of(sections):
    """A teacher's comments as HTML, which Moodle takes this text for."""
    told = [(one["id"], one["comment"]) for _, questions in sections for one in questions
            if one["comment"]]  # fmt: skip
    lines = [html.escape(f"{name}: {comment}", quote=False).splitlines() for name, comment in told]
    return "".join(f"<p>{'<br>'.join(parts)}</p>" for parts in lines)


def canvas_grades(name, given):
    of = {"Student": "    Points Possible", name: given[0][2]["of"]}
    students = [{"Student": row["student"], "ID": number, name: row["points"]}
                for _, number, row, _ in given]  # fmt: skip
    columns = [*CANVAS_STUDENT, name]
    rows = [dict.fromkeys(columns, "") | row for row in (of, *students)]
    return as_csv(columns, rows).removeprefix("\ufeff")


def notebook(row, sections):
    """The feedback as a notebook, for a platform that calls it like the one handed in."""
    cells = []

    def add(make, text, **more):
        cells.append(make(readable(text, lines=True), id=f"feedback-{len(cells)}", **more))

    text, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    title = f"# Feedback: {row['problem set']}"
    add(text, "\n\n".join([title, f"**{row['points']} of {row['of']} points**", EXPLAINED]))
    for heading, questions in sections:
        add(text, "\n\n".join([f"## {heading or 'Points'}", *map(told, questions)]))
        for question in questions:
            for answer in question["answers"]:
                if question["written"]:
                    add(text, answer["source"])
                else:
                    output = readable(answer["output"], lines=True)
                    shown = [nbformat.v4.new_output("stream", text=output)] if output else []
                    add(code, answer["source"], outputs=shown)
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)) + "\n"


def told(question):
    """The points of a question in Markdown, with what the check said and what the teacher did."""
    points = f"**{points_text(question['points'])} of {points_text(question['of'])}**"
    lines = [f"{points}: {question['id']}"]
    if question["automatic"] is not None:
        lines.append(f"(The check gave {points_text(question['automatic'])}.)")
    for text in filter(None, (question["message"], question["comment"])):
        tildes = max(map(len, re.findall("~+", text)), default=0)
        fence = "~" * max(3, tildes + 1)  # nothing in the text ends it
        lines.append(f"{fence}text\n{text}\n{fence}")
    return "\n\n".join(lines)


def zipped(files):
    """The bytes of a zip that holds {name: text}."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, LONG_AGO)
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[name].encode(), zipfile.ZIP_DEFLATED)
    return data.getvalue()
