"""The book's figures: they show the curves that they are given, and differ by more than colour."""

import ast
import base64
import inspect
import math
import re
import struct

import matplotlib
import pytest
from matplotlib import pyplot as plt
from torch.optim.lr_scheduler import CyclicLR, StepLR
from words import collisions

from lrcore import explore, formulas, plot_curves, plot_schedules, show_source, toy
from lrcore.plotting import COLOURS, DASHES, draw_path, panels_png, path_contours, thumbnail

matplotlib.use("agg")


def curves_of(ax):
    return {line.get_label(): list(line.get_ydata()) for line in ax.lines}


def test_plot_curves_shows_each_curve_from_step_0(shown):
    curves = {"slow": [0.5, 0.4, 0.3], "fast": [0.5, 0.1]}
    plot_curves(curves, ylabel="rate", xlabel="epoch")
    (figure,) = shown()
    (ax,) = figure.axes
    assert curves_of(ax) == curves
    assert list(ax.lines[0].get_xdata()) == [0, 1, 2]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "rate")
    assert ax.get_ylim()[0] == 0


def legends(figure):
    found = [*figure.legends, *(ax.get_legend() for ax in figure.axes)]
    return [[text.get_text() for text in legend.get_texts()] for legend in found if legend]


def test_only_several_curves_need_a_legend(shown):
    plot_curves({"a": [1, 2], "b": [2, 1]})
    plot_curves({"a": [1, 2]})
    assert [legends(figure) for figure in shown()] == [[["a", "b"]], []]


def test_what_is_drawn_is_returned_and_goes_where_it_is_asked_for(shown):
    curves = {"a": [1, 2], "b": [2, 1]}
    for axes in (plot_curves(curves), *plot_schedules(curves)):
        assert axes.figure in shown()
    figure, ((one, two), (three, four)) = plt.subplots(2, 2)
    assert plot_curves(curves, xlabel="epoch", ax=one) is one and one.get_xlabel() == "epoch"
    assert plot_schedules(curves, axes=(three, four)) == (three, four)
    assert [len(ax.lines) for ax in (one, two, three, four)] == [2, 0, 2, 2]
    assert len(shown()) == 3 and legends(figure) == [["a", "b"]] * 2


def test_negative_and_logarithmic_values_are_kept_in_view(shown):
    plot_curves({"a": [-1.0, 2.0]})
    plot_curves({"a": [1.0, 1e-6]}, log=True)
    below, log = (figure.axes[0] for figure in shown())
    assert below.get_ylim()[0] <= -1
    assert log.get_yscale() == "log"
    assert log.get_ylim()[0] <= 1e-6


def test_plot_schedules_shows_rates_and_their_expected_losses(shown):
    schedules = {"constant": [0.5] * 30, "step": [0.5] * 15 + [0.05] * 15}
    plot_schedules(schedules)
    (figure,) = shown()
    left, right = figure.axes
    assert curves_of(left) == schedules
    assert curves_of(right) == {k: toy.expected_losses(rates) for k, rates in schedules.items()}
    assert right.get_yscale() == "log"
    assert "learning rate" in left.get_ylabel()
    assert "loss" in right.get_ylabel()
    assert legends(figure) == [["constant", "step"]]


def test_no_words_stand_in_the_way_of_others(shown):
    rates = [0.5, 0.4, 0.3]
    for names in (
        ["defaults", "factor=0.1, total_iters=20", "factor=0.5, total_iters=60"],
        ["100, each batch", "10, each batch", "100, each epoch", "10, each epoch"],
        ["triangular2, step_size_down=None", "triangular, step_size_down=100", "exp_range"],
    ):
        plot_curves(dict.fromkeys(names, rates))
        plot_schedules(dict.fromkeys(names, rates))
    plot_curves({"a": [1.0, 1e-6]}, log=True)
    assert [collisions(figure) for figure in shown()] == [[]] * 7


def test_a_notebook_shows_a_figure_at_its_size_and_stores_twice_the_pixels(shown, monkeypatch):
    stored = []
    monkeypatch.setattr(
        "lrcore.plotting.display", lambda *data, **more: stored.append((data, more))
    )
    plot_curves({"a": [1, 2]}).figure._ipython_display_()
    (((data,), more),) = stored
    width, height = size(base64.b64decode(data["image/png"]))
    assert more["metadata"]["image/png"] == {"width": width // 2, "height": height // 2}
    assert width // 2 == pytest.approx(7.2 * 110, rel=0.03)
    assert data["text/plain"].startswith("<SharpFigure size")


def test_curves_differ_in_dashes_as_well_as_in_colour(shown):
    plot_curves({str(i): [i, i] for i in range(len(COLOURS))})
    lines = shown()[0].axes[0].lines
    assert len({line.get_color() for line in lines}) == len(COLOURS)
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == len(DASHES) == len(COLOURS)


def test_more_curves_than_styles_are_drawn(shown):
    plot_curves({str(i): [i, i] for i in range(len(COLOURS) + 3)})
    assert len(shown()[0].axes[0].lines) == len(COLOURS) + 3


def test_the_style_leaves_the_readers_own_figures_alone(shown):
    before = dict(plt.rcParams)
    plot_curves({"a": [1, 2]})
    plot_schedules({"a": [1, 2]})
    assert dict(plt.rcParams) == before


def test_a_diverged_loss_is_drawn_up_to_where_it_leaves(shown):
    plot_schedules({"too high": [3.0] * 2000})
    loss = curves_of(shown()[0].axes[1])["too high"]
    assert loss[0] == pytest.approx(0.72)
    assert math.isnan(loss[-1])


def size(png):
    assert png.startswith(b"\x89PNG\r\n")
    return struct.unpack(">2I", png[16:24])


def test_panels_are_the_same_picture_every_time_and_open_no_figure():
    explorer = explore(StepLR, step_size=(5, 50, 5))
    curves = explorer.curves(explorer.start)
    first = panels_png(explorer.panels, curves)
    assert panels_png(explorer.panels, curves) == first
    other = explorer.curves({**explorer.start, "step_size": 50})
    assert panels_png(explorer.panels, other) != first
    assert plt.get_fignums() == []


def test_a_pinned_curve_is_drawn_as_well():
    explorer = explore(StepLR, step_size=(5, 50, 5))
    curves = explorer.curves(explorer.start)
    pinned = explorer.curves({**explorer.start, "step_size": 50})
    alone = panels_png(explorer.panels, curves)
    with_pin = panels_png(explorer.panels, curves, pinned)
    assert with_pin not in (alone, panels_png(explorer.panels, pinned))


def test_a_diverged_curve_can_be_pinned():
    explorer = explore(StepLR, lr=(0.5, 3.0, 0.5), step_size=2000, steps=2000)
    curves = [explorer.curves({**explorer.start, "lr": lr}) for lr in (0.5, 3.0)]
    assert curves[1].loss[-1] == math.inf
    assert panels_png(explorer.panels, *curves).startswith(b"\x89PNG")


def test_every_panel_has_its_place():
    width, height = size(panels_of(StepLR, step_size=5))
    wider, same = size(panels_of(CyclicLR, base_lr=0.1, max_lr=1.0))  # with the momentum
    assert wider == pytest.approx(width * 3 / 2, abs=2)
    assert same == height
    wider, same = size(panels_of(StepLR, step_size=5, path=True))
    assert wider == pytest.approx(width * 3 / 2, abs=2)
    assert same == height


def test_a_contour_joins_places_of_equal_loss():
    steep, flat = toy.PATH_CURVATURES
    for across, along in path_contours():
        assert steep * across**2 == pytest.approx(flat * along**2)


def test_a_path_is_seen_from_above(shown):
    path = toy.noisy_path([0.5] * 30)
    _, ax = plt.subplots()
    draw_path(ax, path, pinned=path[:9], step=20)
    shown()
    assert len(ax.patches) == len(path_contours())
    lines = [list(zip(*line.get_data(), strict=True)) for line in ax.lines]
    places = [(flat, steep) for steep, flat in path]
    assert lines == [places[:9], places[20:], places[:21], [(0, 0)], [places[20]]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("flat direction", "steep direction")
    assert ax.get_xlim() == ax.get_ylim() == (-0.9, 1.1)


def test_a_path_is_strong_up_to_a_step_or_whole():
    explorer = explore(StepLR, step_size=80, path=True)
    curves = explorer.curves(explorer.start)
    pictures = [panels_png(explorer.panels, curves, step=step) for step in (None, 100, 50, 0)]
    assert pictures[0] == pictures[1] and len(set(pictures)) == 3


def test_a_path_that_diverges_is_drawn_up_to_where_it_leaves(shown):
    path = toy.noisy_path([3.0] * 2000)
    assert not math.isfinite(path[-1][0])
    _, ax = plt.subplots()
    draw_path(ax, path, step=1500)
    shown()
    (there,) = ax.lines[-1].get_xydata()
    assert abs(there[1]) < 1e6 < abs(path[len(ax.lines[1].get_xdata())][0])


def panels_of(scheduler, **controls):
    explorer = explore(scheduler, **controls)
    return panels_png(explorer.panels, explorer.curves(explorer.start))


def test_source_shown_is_the_source_that_runs():
    for function in (formulas.step_lr, formulas.one_cycle_lr, toy.expected_losses):
        text = show_source(function).data
        assert text.startswith("```python\ndef ") and text.endswith("\n```")
        shown = ast.parse(text.removeprefix("```python").removesuffix("```")).body[0]
        runs = ast.parse(inspect.getsource(function)).body[0]
        assert ast.get_docstring(shown) == ast.get_docstring(runs).splitlines()[0]
        shown.body, runs.body = shown.body[1:], runs.body[1:]
        assert ast.unparse(shown) == ast.unparse(runs)


def test_source_without_a_docstring_is_shown_whole():
    assert show_source(curves_of).data == f"```python\n{inspect.getsource(curves_of)}```"


def test_a_thumbnail_is_a_picture_with_words():
    html = thumbnail([0.1, 0.05], other=[0.95, 0.85], alt="It falls.")
    data = re.search(r'src="data:image/png;base64,([^"]+)" alt="It falls\."', html)[1]
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert "\n" not in html and "|" not in html  # it must fit the cell of a Markdown table
