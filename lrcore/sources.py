"""Functions as text: to copy as Python, and for a page to compile to JavaScript."""

import ast
import inspect
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
    known = function.__globals__
    return text, {name: known[name] for name in sorted((read - own) & known.keys())}


def definition(function):
    """Python code that defines a function together with all that it uses."""
    text, used = source(function)
    imports, others = [], []
    for name, value in used.items():
        if inspect.isfunction(value) and value.__module__ == function.__module__:
            others.append(definition(value))
        elif inspect.ismodule(value) or inspect.isclass(value) or inspect.isfunction(value):
            imports.append(import_line(name, value))
        else:
            others.append(f"{name} = {value!r}")
    return "\n".join([*imports, *others, *([""] if used else []), text])


def import_line(name, value):
    """The import that makes `name` stand for a module, class or function."""
    line = f"import {value.__name__}"
    if not inspect.ismodule(value):
        line = f"from {value.__module__} {line}"
    return line if value.__name__ == name else f"{line} as {name}"
