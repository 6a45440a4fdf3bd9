"""tools/bench.py: its verdict, and a goal for every formula. Its times are for `make bench`."""

import bench
import pytest
from bench import Row

from lrcore.explorer import FORMULAS

MET = [
    Row("at most", 0.9, 1.0, 1),
    Row("exactly at most", 1.5, 1.0, 1.5),
    Row("at least", 0.05, 1.0, 20, faster=True),
]
TOO_SLOW = Row("a page", 0.009, 0.008, 1)
NOT_FAST_ENOUGH = Row("a formula", 0.1, 1.0, 20, faster=True)
FOR_INFORMATION = Row("far from good", 100.0, 1.0)


def test_verdict_when_all_goals_are_met(capsys):
    assert bench.verdict([*MET, FOR_INFORMATION]) == 0
    assert capsys.readouterr().out == "Verdict: all 3 goals met.\n"


def test_verdict_repeats_what_was_missed(capsys):
    rows = [MET[0], TOO_SLOW, FOR_INFORMATION, *MET[1:], NOT_FAST_ENOUGH]
    bench.show(rows)
    table = capsys.readouterr().out.splitlines()
    assert bench.verdict(rows) == 1
    first, *missed = capsys.readouterr().out.splitlines()
    assert first == "Verdict: 2 of 5 goals missed:"
    assert missed == [table[1], table[5]]
    assert missed[0].split() == ["a", "page", "9", "ms", "8", "ms", "1.12", "<=", "1", "MISSED"]
    assert all(line.endswith(" ok") for line in (table[0], *table[3:5]))
    assert table[2].endswith(" 100")


@pytest.mark.parametrize("row, status", [(MET[0], 0), (TOO_SLOW, 1)])
def test_verdict_is_the_exit_status(row, status, monkeypatch, tmp_path, capsys):
    for name in vars(bench).copy():
        if name.endswith("_rows"):
            monkeypatch.setattr(bench, name, lambda *pages: [])
    monkeypatch.setattr(bench, "import_rows", lambda: [row])
    page = tmp_path / "chapters" / "step_lr.html"
    page.parent.mkdir()
    page.touch()
    assert bench.main([str(tmp_path)]) == status
    heading, line, last, *_ = capsys.readouterr().out.splitlines()
    assert heading.startswith("what") and line.startswith(row.what) and last.startswith("Verdict:")


def test_every_formula_has_the_same_goal(monkeypatch):
    monkeypatch.setattr(bench, "STEPS", 20)
    monkeypatch.setattr(bench, "RUNS", 1)
    rows = bench.formula_rows()
    for row, formula in zip(rows, FORMULAS.values(), strict=True):
        assert row.what.startswith(f"formula: {formula.__name__}, ")
        assert (row.goal, row.faster) == (20, True)
    # a list of all rates would take them n**2 steps where torch takes n
    once = [row.what.split()[1] for row in rows if "one call, against torch's loop" in row.what]
    assert once == ["multiplicative_lr,", "reduce_lr_on_plateau,"]
