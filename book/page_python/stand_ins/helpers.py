"""What the ported modules import from Python's library, and MicroPython has not."""

from collections import namedtuple


def bisect_right(numbers, x):
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) // 2
        if x < numbers[middle]:
            high = middle
        else:
            low = middle + 1
    return low


class Counter(dict):
    def __init__(self, items=()):
        super().__init__()
        for item in items:
            self[item] = self.get(item, 0) + 1

    def __getitem__(self, item):
        return self.get(item, 0)

    def elements(self):
        for item in self:
            for _ in range(self.get(item)):
                yield item


def update(thing, values):
    """thing.__dict__.update(values)"""
    for name, value in values.items():
        setattr(thing, name, value)
