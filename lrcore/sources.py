"""Functions as text: to copy as Python, and for a page to compile to JavaScript."""

import ast
import inspect
import sys
import textwrap


def code(function):
    """The source of a function or class, and of its docstring the first line."""
    text = textwrap.dedent(inspect.getsource(function))
    body = ast.parse(text).body[0].body
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    if not summary:
        return text
    lines = text.splitlines(keepends=True)
    first, last = body[0].lineno - 1, body[0].end_lineno
    return "".join([*lines[:first], f'{" " * body[0].col_offset}"""{summary}"""\n', *lines[last:]])


def source(function):
    """A function's code and {name: value} of all that it takes from its module."""
    text = code(function)
    read, own = set(), {function.__name__}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else own).add(node.id)
    known = vars(sys.modules[function.__module__])
    if inspect.isfunction(function):
        known = function.__globals__
    return text, {name: known[name] for name in sorted((read - own) & known.keys())}


def definition(*wanted, imports=()):
    """Python code after which functions and classes stand for themselves.

    It begins with the lines in `imports` and all others that are needed. What no module but lrcore
    or a notebook has is written out, each thing once, after what it uses.
    """
    imports, blocks = set(imports), {}
    # a reader has no module to import the functions of a notebook from
    own = {value.__module__ for value in wanted if inspect.isfunction(value)}

    def add(name, value):
        module = getattr(value, "__module__", "")
        if callable(value) and (module in own or module.startswith("lrcore.")):
            text, used = source(value)
            for other, found in used.items():
                add(other, found)
            blocks.setdefault(name, text.rstrip("\n"))
        elif inspect.ismodule(value) or callable(value):
            imports.add(import_line(name, value))
        else:
            blocks.setdefault(name, f"{name} = {value!r}")

    for value in wanted:
        add(value.__name__, value)
    header = "\n".join(sorted(imports, key=lambda line: (line.startswith("from"), line)))
    return "\n\n\n".join([*filter(None, [header]), *blocks.values()])


def import_line(name, value):
    """The import that makes `name` stand for a module, class or function."""
    line = f"import {value.__name__}"
    if not inspect.ismodule(value):
        line = f"from {value.__module__} {line}"
    return line if value.__name__ == name else f"{line} as {name}"
