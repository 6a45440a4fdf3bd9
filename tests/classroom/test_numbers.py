"""Student numbers in notebooks: whoever copies answers copies the number they were made with."""

from made_up import outcome, question, submission

from classroom.numbers import number_notes
from classroom.roster import Person


def notes(*made):
    """Notes for [(name, its number on the roster or None, the number in its notebook), ...]."""
    found, outcomes = [], {}
    for student, on_roster, number in made:
        one = submission(student, name="ps2")
        one.person = Person(on_roster, student) if on_roster else None
        found.append(one)
        outcomes[one.key] = outcome(question("ps2-predict-a", 1.0)) | {"number": number}
    told = number_notes(found, outcomes)
    return {one.student: told[one.key] for one in found if one.key in told}


def test_own_numbers_and_none_are_not_worth_a_word():
    assert not notes(("Ada", "17", "17"), ("Bob", None, "18"), ("Cyd", "19", ""), ("Dan", None, ""))


def test_one_number_of_two():
    assert notes(("Ada", "17", " 17 "), ("Bob", "18", "17"), ("Cyd", "19", "19")) == {
        "Ada": ["its numbers are made from 17, as those of Bob"],
        "Bob": [
            "its numbers are made from 17, not from 18",
            "its numbers are made from 17, as those of Ada",
        ],
    }


def test_without_a_roster_equal_numbers_are_told():
    told = notes(("Ada", None, "17"), ("Bob", None, "17"), ("Cyd", None, "17"))
    assert told["Ada"] == ["its numbers are made from 17, as those of Bob, Cyd"]
