"""Student numbers in notebooks: whoever copies answers copies the number they were made with."""

from made_up import outcome, submission

from classroom.numbers import number_notes
from classroom.roster import Person


def notes(*made):
    """Notes for [(name, its number on the roster or None, those in its notebook), ...]."""
    found, outcomes = [], {}
    for student, on_roster, number in made:
        one = submission(student, name="ps2")
        one.person = Person(on_roster, student) if on_roster else None
        found.append(one)
        outcomes[one.key] = outcome() | {"numbers": number.split(",") if number else []}
    told = number_notes(found, outcomes)
    return {one.student: told[one.key] for one in found if one.key in told}


def test_own_numbers_and_none_are_not_worth_a_word():
    assert not notes(("Ada", "17", "17"), ("Bob", None, "18"), ("Cyd", "19", ""), ("Dan", None, ""))


def test_no_number_where_one_is_asked_for():
    ada, bob, cyd = (submission(name, name="ps2") for name in ("Ada", "Bob", "Cyd"))
    outcomes = {
        ada.key: outcome() | {"numbers": [], "asks_number": True},
        bob.key: outcome() | {"numbers": ["18"], "asks_number": True},
        cyd.key: outcome() | {"numbers": [], "asks_number": False},
    }
    assert number_notes([ada, bob, cyd], outcomes) == {ada.key: "no number"}


def test_one_number_of_two():
    assert notes(("Ada", "17", "0017"), ("Bob", "18", "17"), ("Cyd", "19", "19")) == {
        "Ada": "17 is used by Bob, too",
        "Bob": "17 is not 18; 17 is used by Ada, too",
    }


def test_without_a_roster_equal_numbers_are_told():
    told = notes(("Ada", None, "17"), ("Bob", None, "17"), ("Cyd", None, "17"))
    assert told["Ada"] == "17 is used by Bob, Cyd, too"


def test_two_numbers_in_one_notebook_are_told():
    told = notes(("Ada", None, "17"), ("Bob", None, "17,18"))
    assert told["Bob"] == "17 is used by Ada, too; two numbers: 17, 18"
