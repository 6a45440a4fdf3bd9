"""Warnings are printed: a page has no other place for them."""

recorders = []  # those that `catch_warnings(record=True)` waits with; None: they are ignored


class Recorded:
    def __init__(self, message, category):
        self.message, self.category = message, category


def warn(message, category=None, stacklevel=1):
    if not recorders:
        print("UserWarning:", message)
    elif recorders[-1] is not None:
        recorders[-1].append(Recorded(message, category))


def simplefilter(action, *arguments, **options):
    if recorders and action == "ignore":
        recorders[-1] = None


filterwarnings = simplefilter


class catch_warnings:
    def __init__(self, record=False):
        self.record = record

    def __enter__(self):
        recorders.append([])
        return recorders[-1]

    def __exit__(self, *error):
        recorders.pop()
