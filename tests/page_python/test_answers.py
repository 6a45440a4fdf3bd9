"""The exercises, answered as students answer them, with the real torch."""

from collections import Counter

import pytest
from student_answers import all_answers, all_exercises, exercises_of, told

ANSWERS = all_answers()


@pytest.mark.parametrize(
    "answer",
    ANSWERS,
    ids=lambda a: f"{a.chapter} {a.number} {'right' if a.right else 'wrong'}: {a.kind}",
)
def test_an_answer_is_told_what_it_is(answer):
    text = told(exercises_of(answer.chapter)[answer.number], answer.text)
    if answer.right:
        assert "Correct" in text and "Not yet" not in text and "Error" not in text, text
    else:
        assert answer.says in text and not text.rpartition("\n")[2].startswith("Correct"), text


def test_each_exercise_is_answered_in_several_ways():
    count = Counter((answer.chapter, answer.number, answer.right) for answer in ANSWERS)
    for chapter, exercise in all_exercises():
        assert count[chapter, exercise.number, True] >= 2, (chapter, exercise.number)
        assert count[chapter, exercise.number, False] >= 3, (chapter, exercise.number)
    known = {(chapter, exercise.number) for chapter, exercise in all_exercises()}
    assert {(answer.chapter, answer.number) for answer in ANSWERS} <= known
