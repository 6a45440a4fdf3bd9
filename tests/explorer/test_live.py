"""The explorer with a kernel: its widgets, moved as a reader would move them."""

import html
import re

import ipywidgets
import matplotlib
import pytest
from matplotlib import pyplot as plt
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, OneCycleLR, ReduceLROnPlateau, StepLR

from lrcore import explore, plotting, toy
from lrcore.explorer.live import show
from lrcore.explorer.model import summary

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch):
    """Without the search for the best margins, which is a third of the time of a picture."""
    monkeypatch.setitem(plotting.STYLE, "figure.constrained_layout.use", False)


class Live:
    """The parts of a shown explorer."""

    def __init__(self, scheduler, **controls):
        self.explorer = explore(scheduler, **controls)
        self.box = show(self.explorer)
        self.controls = self.explorer.widgets
        *_, self.buttons, self.image, self.words, self.code = self.box.children
        self.pin, self.reset = self.buttons.children

    @property
    def picture(self):
        return bytes(self.image.value)

    @property
    def status(self):
        return html.unescape(re.sub(r"<[^>]*>", "", self.words.value))

    @property
    def code_text(self):
        return html.unescape(re.sub(r"<[^>]*>", "", self.code.value))

    def state(self):
        return self.picture, self.words.value, self.code.value, self.explorer.values()


@pytest.fixture
def live():
    """An explorer of StepLR, shown."""
    return Live(StepLR, lr=(0.1, 2.0, 0.1), step_size=(5, 50, 5), gamma=(0.1, 0.9, 0.1))


def test_it_shows_controls_then_buttons_picture_words_and_code(live):
    names = [type(part).__name__ for part in live.box.children]
    assert names == ["FloatSlider", "IntSlider", "FloatSlider", "HBox", "Image", "HTML", "HTML"]
    assert [part.description for part in live.box.children[:3]] == ["lr", "step_size", "gamma"]
    assert live.picture.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("scheduler", "controls", "name", "value"),
    [
        (StepLR, {"step_size": (5, 50, 5)}, "step_size", 50),
        (OneCycleLR, {"max_lr": 1, "total_steps": 100, "three_phase": False}, "three_phase", True),
        (CyclicLR, {"base_lr": 0.1, "max_lr": (0.2, 1.0, 0.1)}, "max_lr", 1.0),
        (LambdaLR, {"lr_lambda": [toy.validation_loss, toy.scatter]}, "lr_lambda", toy.scatter),
        (
            ReduceLROnPlateau,
            {"metrics": toy.validation_loss, "noise": (0, 0.2, 0.01)},
            "noise",
            0.2,
        ),
    ],
)
def test_every_move_changes_picture_words_and_code(scheduler, controls, name, value):
    live = Live(scheduler, **{"lr": 0.5, **controls})
    before = live.state()
    live.controls[name].value = value
    after = live.state()
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert before[2] != after[2]
    assert after[3][name] == value


def test_words_and_code_belong_to_the_curve(live):
    live.controls["step_size"].value = 20
    live.controls["gamma"].value = 0.5
    curves = live.explorer.curves({**live.explorer.start, "step_size": 20, "gamma": 0.5})
    assert live.status == summary(curves.rate, curves.loss)
    assert "0.0312 at step 99" in live.status
    assert "scheduler = StepLR(optimizer, step_size=20, gamma=0.5)" in live.code_text
    assert 'role="status"' in live.words.value


def test_code_is_escaped():
    live = Live(LambdaLR, lr_lambda=toy.validation_loss)
    assert "if t >= jump_at:" in live.code_text
    assert ">= jump_at" not in live.code.value


def test_fifty_moves_leave_one_picture_and_no_figure(live):
    parts = live.box.children
    seen = set()
    for i in range(50):
        live.controls["lr"].value = 0.1 + 0.1 * (i % 20)
        seen.add(live.picture)
    assert live.box.children == parts
    assert sum(isinstance(part, ipywidgets.Image) for part in parts) == 1
    assert plt.get_fignums() == []
    assert len(seen) == 20


def test_what_is_drawn_comes_from_real_torch(live, monkeypatch):
    drawn = []
    draw = plotting.draw_curves

    def spy(ax, curves, ylabel, log=False):
        drawn.append(list(curves.values())[0])
        draw(ax, curves, ylabel, log)

    def no_formula(*arguments):
        raise AssertionError("a formula was asked")

    class Halving(StepLR):
        """Not what any formula says."""

        def get_lr(self):
            return [group["lr"] * 0.5 for group in self.optimizer.param_groups]

    monkeypatch.setattr(plotting, "draw_curves", spy)
    monkeypatch.setattr(live.explorer, "formula", no_formula)
    monkeypatch.setattr(live.explorer, "scheduler", Halving)
    live.controls["lr"].value = 1.0
    rates, losses = drawn
    assert rates[1:4] == pytest.approx([0.25, 0.125, 0.0625])
    assert losses == toy.expected_losses(rates)


def test_pin_draws_a_second_curve_and_keeps_the_controls(live):
    before = live.state()
    live.pin.click()
    assert live.picture != before[0]
    assert live.explorer.values() == before[3]
    live.controls["step_size"].value = 50
    with_pin = live.picture
    live.pin.click()
    assert live.picture != with_pin  # now this curve is the pinned one


def test_reset_brings_back_every_start_and_drops_the_pin(live):
    before = live.state()
    live.pin.click()
    for name, value in {"lr": 2.0, "step_size": 45, "gamma": 0.9}.items():
        live.controls[name].value = value
    live.reset.click()
    assert live.state() == before


def test_reset_of_menu_check_box_and_log_slider():
    log = ipywidgets.FloatLogSlider(value=0.3, base=10, min=-2, max=0, step=0.1)
    live = Live(
        OneCycleLR,
        max_lr=log,
        total_steps=100,
        three_phase=True,
        anneal_strategy=["cos", "linear"],
    )
    before = live.state()
    log.value, live.controls["three_phase"].value = 0.01, False
    live.controls["anneal_strategy"].value = "linear"
    assert live.explorer.values() != before[3]
    live.reset.click()
    assert live.state() == before


@pytest.fixture
def with_path():
    """An explorer with a path, shown."""
    return Live(StepLR, steps=[100, 40, 150], step_size=(5, 50, 5), path=True)


def test_a_path_has_a_slider_of_its_own_that_moves_along_it(with_path):
    at = with_path.box.children[2]
    assert (type(at), at.description) == (ipywidgets.IntSlider, "read at step")
    assert (at.min, at.value, at.max) == (0, 100, 100)
    pictures = []
    for step in (100, 60, 0):
        at.value = step
        curves = with_path.explorer.curves(with_path.explorer.values())
        wanted = plotting.panels_png(with_path.explorer.panels, curves, step=step)
        assert with_path.picture == wanted
        pictures.append(wanted)
    assert len(set(pictures)) == 3


def test_the_end_of_the_path_stays_the_end(with_path):
    at = with_path.box.children[2]
    for steps in (40, 150, 100):
        with_path.controls["steps"].value = steps
        assert (at.value, at.max) == (steps, steps)
    at.value = 70
    with_path.controls["steps"].value = 150
    assert (at.value, at.max) == (70, 150)
    with_path.controls["steps"].value = 40  # as far as it goes
    assert (at.value, at.max) == (40, 40)


def test_reset_shows_the_whole_path(with_path):
    before = with_path.state()
    with_path.box.children[2].value = 30
    with_path.controls["step_size"].value = 45
    with_path.pin.click()
    with_path.reset.click()
    assert with_path.state() == before


def test_a_pinned_path_is_drawn_too(with_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plotting, "draw_path", lambda *asked: drawn.append(asked[1:]))
    first = with_path.explorer.curves(with_path.explorer.values())
    with_path.pin.click()
    with_path.controls["step_size"].value = 50
    second = with_path.explorer.curves(with_path.explorer.values())
    assert drawn == [(first.path, first.path, None), (second.path, first.path, None)]


def test_an_error_of_torch_is_told_and_the_picture_stays(live, monkeypatch):
    before = live.state()
    refused = {**live.explorer.start, "step_size": 5, "gamma": "no number"}
    monkeypatch.setattr(live.explorer, "values", lambda: refused)
    live.controls["lr"].value = 2.0
    assert "StepLR stops at step 5: TypeError(" in live.status
    assert live.picture != before[0]  # five steps of a curve

    monkeypatch.setattr(live.explorer, "values", lambda: {**refused, "lr": -1.0})
    five_steps = live.picture
    live.controls["lr"].value = 1.0
    assert "Invalid learning rate: -1.0" in live.status
    assert live.picture == five_steps
    assert live.picture == five_steps

    live.pin.click()  # what is pinned is the curve that is drawn
    monkeypatch.undo()
    drawn = live.explorer.curves(refused)
    live.controls["lr"].value = 0.5
    curves = live.explorer.curves(live.explorer.values())
    assert live.picture == plotting.panels_png(live.explorer.panels, curves, drawn)


def test_a_curve_that_ends_early_is_drawn_as_far_as_it_goes():
    live = Live(OneCycleLR, max_lr=1.0, total_steps=(50, 150, 10))
    live.controls["total_steps"].value = 50
    assert "Expected loss after 51 steps" in live.status
    assert "OneCycleLR stops at step 51: ValueError(" in live.status


def test_two_explorers_do_not_disturb_each_other(live):
    other = Live(StepLR, step_size=(5, 50, 5))
    before = other.state()
    live.controls["step_size"].value = 35
    assert other.state() == before
