"""MicroPython keeps no names of parameters: nothing is known of any function."""


class signature:
    parameters = {}

    def __init__(self, function):
        pass
