"""The student numbers that notebooks ask for: whose numbers somebody's answers were made with."""

from collections import defaultdict

from classroom.roster import id_form


def number_notes(submissions, outcomes):
    """What is odd about the student number in a notebook, for the teacher alone.

    Two students may share one, the roster may have another for a student, and there may be
    several, or none where the notebook asks for one. Returns {key of the submission: text}, for
    those that have a text.
    """
    users = defaultdict(list)
    for submission in submissions:
        for number in outcomes[submission.key].get("numbers", []):
            users[submission.name, id_form(number)].append(submission)
    notes = defaultdict(list)
    for (_, number), those in users.items():
        for one in those:
            if one.person and number not in map(id_form, (one.person.id, one.person.email)):
                notes[one.key].append(f"{number} is not {one.person.id}")
            if others := sorted({s.student or "?" for s in those if s is not one}):
                notes[one.key].append(f"{number} is used by {', '.join(others)}, too")
    for submission in submissions:
        numbers = outcomes[submission.key].get("numbers", [])
        if len(numbers) > 1:
            notes[submission.key].append(f"two numbers: {', '.join(numbers)}")
        elif not numbers and outcomes[submission.key].get("asks_number"):
            notes[submission.key].append("no number")
    return {key: "; ".join(told) for key, told in notes.items()}
