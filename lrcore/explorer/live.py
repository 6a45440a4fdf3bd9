"""The explorer with a kernel: ipywidgets around a picture, the real torch scheduler behind it.

Only what ipywidgets 7.7 (Colab) and 8 have in common is used.
"""

import html

import ipywidgets

from lrcore.explorer.model import summary


def show(explorer):
    """A VBox of controls, buttons, picture, summary and code; every move redraws the picture.

    An explorer with a path has one more slider: how far along its path the run has come.
    """
    # an Image swaps its bytes in place: nothing flickers and no figure piles up on another
    picture = ipywidgets.Image(format="png", layout={"max_width": "100%", "object_fit": "contain"})
    words = ipywidgets.HTML()
    code = ipywidgets.HTML()
    pin = ipywidgets.Button(description="Pin this curve")
    reset = ipywidgets.Button(description="Reset")
    at = path_slider(explorer.start["steps"]) if explorer.path else None
    drawn, pinned = None, None

    def redraw(_change=None):
        nonlocal drawn
        values = explorer.values()
        curves = explorer.curves(values)
        text = ""
        if curves.rate:
            drawn = curves
            step = follow(at, len(curves.rate)) if at else None
            picture.value = explorer.picture(curves, pinned, step)
            text = summary(curves.rate, curves.loss)
        if curves.error:
            text += f" {explorer.name} stops at step {len(curves.rate)}: {curves.error!r}"
        words.value = f'<p role="status">{html.escape(text)}</p>'
        code.value = f"<pre>{html.escape(explorer.code(values))}</pre>"

    def pin_curve(_button):
        nonlocal pinned
        pinned = drawn  # not a curve that torch refuses
        redraw()

    def start_over(_button):
        nonlocal pinned
        pinned = None
        for name, widget in explorer.widgets.items():
            widget.value = explorer.start[name]
        if at:
            at.value = at.max
        redraw()

    pin.on_click(pin_curve)
    reset.on_click(start_over)
    controls = [*explorer.widgets.values(), *([at] if at else [])]
    for widget in controls:
        widget.style.description_width = "9em"
        widget.observe(redraw, "value")
    redraw()
    return ipywidgets.VBox([*controls, ipywidgets.HBox([pin, reset]), picture, words, code])


def path_slider(steps):
    """A slider of the step up to which the path is strong. It begins at the end."""
    return ipywidgets.IntSlider(value=steps, max=steps, description="read at step")


def follow(slider, steps):
    """Fit the slider to a run of so many steps; the step where it stands, None for the end."""
    at_the_end = slider.value == slider.max
    slider.max = steps  # moves the slider, too, where the run is shorter
    if at_the_end:
        slider.value = steps
    return None if slider.value == steps else slider.value
