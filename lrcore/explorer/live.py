"""The explorer with a kernel: ipywidgets around a picture, the real torch scheduler behind it.

Only what ipywidgets 7.7 (Colab) and 8 have in common is used.
"""

import html

import ipywidgets

from lrcore.explorer.model import summary


def show(explorer):
    """A VBox of controls, picture, summary, code and buttons; every move redraws the picture."""
    # an Image swaps its bytes in place: nothing flickers and no figure piles up on another
    picture = ipywidgets.Image(format="png", layout={"max_width": "100%", "object_fit": "contain"})
    words = ipywidgets.HTML()
    code = ipywidgets.HTML()
    pin = ipywidgets.Button(description="Pin this curve")
    reset = ipywidgets.Button(description="Reset")
    drawn, pinned = None, None

    def redraw(_change=None):
        nonlocal drawn
        values = explorer.values()
        curves = explorer.curves(values)
        text = ""
        if curves.rate:
            drawn = curves
            picture.value = explorer.picture(curves, pinned)
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
        redraw()

    pin.on_click(pin_curve)
    reset.on_click(start_over)
    for widget in explorer.widgets.values():
        widget.style.description_width = "9em"
        widget.observe(redraw, "value")
    redraw()
    controls = list(explorer.widgets.values())
    return ipywidgets.VBox([*controls, ipywidgets.HBox([pin, reset]), picture, words, code])
