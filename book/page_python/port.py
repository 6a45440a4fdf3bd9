"""Python rewritten for MicroPython, which lacks some of the language and of the library.

What runs stays as it is; what only readers and type checkers need goes (docstrings, annotations),
and the few things that MicroPython has not become others that mean the same. So the page runs
PyTorch's own schedulers and lrcore's own functions, and not a second text of them.
"""

import ast
import importlib.util
from pathlib import Path

# Their imports go: what is used of them HEAD brings, with stand_ins/helpers.py.
DROPPED_MODULES = {"__future__", "typing", "typing_extensions", "weakref", "functools", "bisect"}
DROPPED_MODULES |= {"collections", "collections.abc"}
HEAD = """import math
import types
import warnings
from functools import partial
from helpers import Counter, bisect_right, namedtuple, update
UserWarning = DeprecationWarning = FutureWarning = Warning = Exception
"""


def module(name, classes=None):
    """The source of a module for MicroPython; of the classes named alone, if any are."""
    package, *parts = name.split(".")
    folder = Path(importlib.util.find_spec(package).origin).parent  # found, and not imported
    path = folder.joinpath(*parts).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if classes:
        tree.body = [node for node in tree.body if getattr(node, "name", "") in classes]
    return HEAD + ported(tree)


def ported(tree):
    """Source for MicroPython of a module's or a cell's syntax tree."""
    return ast.unparse(ast.fix_missing_locations(Port().visit(tree))) + "\n"


class Port(ast.NodeTransformer):
    def visit_Module(self, node):
        node.body = _without_docstring(node.body)
        self.generic_visit(node)
        return node

    def visit_ImportFrom(self, node):
        return None if node.module in DROPPED_MODULES else node

    def visit_Import(self, node):
        node.names = [name for name in node.names if name.name not in DROPPED_MODULES]
        return node if node.names else None

    def visit_If(self, node):
        # `if TYPE_CHECKING:` holds imports for type checkers
        self.generic_visit(node)
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    def visit_FunctionDef(self, node):
        node.decorator_list = [d for d in node.decorator_list if ast.unparse(d) != "override"]
        node.returns = None
        arguments = node.args
        arguments.args = arguments.posonlyargs + arguments.args
        arguments.posonlyargs = []
        for argument in ast.walk(arguments):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        node.body = _without_docstring(node.body)
        if node.name == "patch_track_step_called":
            # a method has no attributes of its own here: the optimizer keeps the mark
            node.body = ast.parse("opt._wrapped_by_lr_sched = True").body
        self.generic_visit(node)
        return node

    def visit_ClassDef(self, node):
        bases = [ast.unparse(base) for base in node.bases]
        if "TypedDict" in bases:
            return None
        node.body = _without_docstring(node.body)
        if "NamedTuple" in bases:
            fields = [entry.target.id for entry in node.body if isinstance(entry, ast.AnnAssign)]
            return ast.parse(f"{node.name} = namedtuple({node.name!r}, {fields})").body[0]
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node):
        self.generic_visit(node)
        return ast.Assign([node.target], node.value) if node.value else ast.Pass()

    def visit_Call(self, node):
        self.generic_visit(node)
        called = ast.unparse(node.func)
        if called == "zip":
            node.keywords = []  # strict=
        elif called == "cast":
            return node.args[1]
        elif called == "hasattr" and ast.unparse(node.args[0]) == "self.optimizer.step":
            node.args[0] = ast.parse("self.optimizer", mode="eval").body
        elif called.endswith(".__dict__.update"):
            return ast.Call(ast.Name("update"), [node.func.value.value, *node.args], [])
        elif called.endswith(".__dict__.copy"):
            return ast.Call(ast.Name("dict"), [node.func.value], [])
        return node

    def visit_Tuple(self, node):
        return self._unstarred(node, "tuple")

    def visit_List(self, node):
        return self._unstarred(node, "list")

    def _unstarred(self, node, kind):
        """[a, *b] as [a] + list(b)."""
        self.generic_visit(node)
        if not any(isinstance(part, ast.Starred) for part in node.elts):
            return node
        parts = [
            ast.Call(ast.Name(kind), [part.value], [])
            if isinstance(part, ast.Starred)
            else type(node)([part], ast.Load())
            for part in node.elts
        ]
        whole = parts[0]
        for part in parts[1:]:
            whole = ast.BinOp(whole, ast.Add(), part)
        return whole


def _without_docstring(body):
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        if isinstance(first.value.value, str):
            body = body[1:]
    return body or [ast.Pass()]
