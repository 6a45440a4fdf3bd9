"""Where the words of a figure stand in each other's way."""

from itertools import combinations

from matplotlib.text import Text
from matplotlib.transforms import Bbox


def collisions(figure):
    """Of a drawn figure: pairs of words that cover each other, and words that cover the frame of
    axes or leave the figure, each in one line."""
    words = [(text.get_text(), Text.get_window_extent(text)) for text in words_of(figure)]
    found = [f"{a!r} and {b!r}" for (a, x), (b, y) in combinations(words, 2) if x.overlaps(y)]
    for ax in figure.axes:
        found += [f"{word!r} and a frame" for word, box in words if box.count_overlaps(frame(ax))]
    for word, box in words:
        if not all(figure.bbox.contains(*corner) for corner in (box.min, box.max)):
            found.append(f"{word!r} leaves the figure")
    return found


def words_of(figure):
    """The texts that are drawn: an axis keeps more ticks than it shows."""
    unseen = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not (ax.axison and low <= tick.get_loc() <= high):
                    unseen |= {tick.label1, tick.label2}
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())
    return [text for text in found if text.get_text().strip() and text not in unseen]


def frame(ax):
    """The lines at the left of and below axes, as thin boxes."""
    (x, y), (right, top) = ax.bbox.min, ax.bbox.max
    return [Bbox([(x, y), (x, top)]), Bbox([(x, y), (right, y)])] if ax.axison else []
