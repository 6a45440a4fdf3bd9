"""The student numbers that notebooks ask for: whose numbers somebody's answers were made with."""

from collections import defaultdict

from classroom.roster import id_form


def number_notes(submissions, outcomes):
    """Notes on numbers that two students share, or that the roster does not have for a student.

    Returns {key of the submission: [note, ...]}, for those that have one.
    """
    users = defaultdict(list)
    for submission in submissions:
        number = id_form(outcomes[submission.key].get("number", ""))
        if number:
            users[submission.name, number].append(submission)
    notes = {}
    for (_, number), those in users.items():
        for one in those:
            told = []
            if one.person and number not in map(id_form, (one.person.id, one.person.email)):
                told.append(f"its numbers are made from {number}, not from {one.person.id}")
            others = sorted({s.student or "?" for s in those if s is not one})
            if others:
                told.append(f"its numbers are made from {number}, as those of {', '.join(others)}")
            if told:
                notes[one.key] = told
    return notes
