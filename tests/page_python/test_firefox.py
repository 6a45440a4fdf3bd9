"""The exercises in Firefox, from disk: what is typed there is told what CPython tells."""

import json

import pytest
from browser import FIREFOX
from conftest import ROOT
from firefox import firefox
from student_answers import all_exercises, exercises_of, solved, told

CHAPTERS = sorted({chapter for chapter, exercise in all_exercises() if not exercise.colab})

# Type a text over all that the editor of an exercise holds, check it, and return what is told.
CHECK = """(async (number, text) => {
  const box = document.querySelector(`#exercise-${number} .lr-exercise`);
  const until = async (ready) => {
    for (let i = 0; i < 1000 && !ready(); i++) await new Promise((done) => setTimeout(done, 20));
  };
  box.querySelector(".lr-open")?.click();
  await until(() => box.querySelector(".cm-content"));
  box.querySelector(".cm-content").focus();
  document.execCommand("selectAll");
  document.execCommand("insertText", false, text);
  const before = Number(box.dataset.checks ?? 0);
  box.querySelector(".lr-check").click();
  await until(() => Number(box.dataset.checks ?? 0) > before);
  return box.querySelector(".lr-told").innerText.trim();
})"""


@pytest.mark.xdist_group("firefox")
@pytest.mark.skipif(not FIREFOX, reason="Firefox is not installed")
def test_exercises_say_in_firefox_what_cpython_says(tmp_path):
    with firefox(tmp_path) as page:
        for chapter in CHAPTERS:
            page.goto((ROOT / "_build" / "html" / "chapters" / f"{chapter}.html").as_uri())
            for number, exercise in exercises_of(chapter).items():
                if exercise.colab:
                    continue
                for text in (exercise.starter, solved(exercise)):
                    said = page.evaluate(f"{CHECK}({number}, {json.dumps(text)})")
                    assert said == told(exercise, text), (chapter, number)
