"""The exercises of a notebook, each with what it needs of the cells before it."""

import ast
import builtins
import dis
import re
import types
from functools import cache
from typing import NamedTuple

from book.page_python.port import ported

BUILTINS = frozenset(dir(builtins))
# Hints and solutions are text, folded wherever a notebook is shown, so that "Run all" runs none.
FOLDED = re.compile(
    r'^<details class="(hint|solution)">\s*<summary>[^<]+</summary>\n(.+?)\n</details>$',
    re.M | re.S,
)
CODE = re.compile(r"^```python\n(.+?)^```$", re.M | re.S)


class Exercise(NamedTuple):
    number: int
    starter: str  # the cell that the reader edits
    hint: str  # these two are "" where the notebook has none
    solution: str
    context: str  # what must run before, as CPython has it
    colab: bool  # whether it needs more than a page has: the starter's cell has the tag "colab"


def exercises(notebook):
    """All exercises of a notebook, in order."""
    earlier, found, inside = [], [], False
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "markdown":
            if re.search(r"^## ", source, re.M):
                inside = re.search(r"^## Exercises$", source, re.M)
            heading = re.search(r"^### Exercise (\d+)$", source, re.M)
            if heading and inside:
                found.append(Draft(int(heading[1]), list(earlier)))
            for kind, text in FOLDED.findall(source) if inside and found else []:
                if kind == "hint":
                    found[-1].hint = text.strip()
                else:
                    found[-1].solution = CODE.search(text)[1]
                    earlier.append(found[-1].solution)
        elif cell["cell_type"] == "code" and "%pip" not in source:
            if inside and found:
                found[-1].starter += source
                found[-1].colab |= "colab" in tags
            earlier.append(source)
    return [draft.finish() for draft in found]


class Draft:
    """An exercise that is being read."""

    def __init__(self, number, earlier):
        self.number, self.earlier = number, earlier
        self.starter, self.hint, self.solution, self.colab = "", "", "", False

    def finish(self):
        own = [self.starter, self.solution]
        context = "" if self.colab else context_of(own, self.earlier)
        return Exercise(self.number, self.starter, self.hint, self.solution, context, self.colab)


def context_of(own, earlier):
    """The statements of the cells `earlier` that the cells `own` need, as source.

    And what a reader may need: all that they imported of torch's schedulers.
    """
    statements = [statement for cell in earlier for statement in statements_of(cell)]
    kept = {i for i, statement in enumerate(statements) if statement.is_at_hand}
    seen = set()
    todo = [(name, len(statements)) for name in missing(own)]
    while todo:
        name, end = asked = todo.pop()
        if asked in seen:
            continue
        seen.add(asked)
        defining = [i for i in range(end) if name in statements[i].makes]
        # what a loop leaves behind is seldom meant
        defining = [i for i in defining if not statements[i].is_loop] or defining
        if not defining:
            continue
        last = defining[-1]
        kept.add(last)
        # a function looks its names up when it is called, and not where it stands
        end = len(statements) if statements[last].is_late else last
        todo += [(used, end) for used in statements[last].uses]
    return "\n".join(ast.unparse(statements[i].node) for i in sorted(kept))


def missing(cells):
    """The names that cells use before they make them."""
    statements = [statement for cell in cells for statement in statements_of(cell)]
    whole = set().union(*(statement.makes for statement in statements))
    made, found = set(), []
    for statement in statements:
        there = whole if statement.is_late else made
        found += [name for name in statement.uses if name not in there]
        made |= statement.makes
    return found


@cache  # a cell stands before all later exercises of its chapter
def statements_of(cell):
    return [Statement(node) for node in parts(cell)]


def parts(cell):
    """The statements at the top of a cell; an import of many names is many statements."""
    for node in ast.parse(cell).body:
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                yield ast.ImportFrom(node.module, [name], node.level)
        else:
            yield node


class Statement:
    """A statement at the top of a cell: the names that it uses and those that it makes."""

    def __init__(self, node):
        self.node = node
        self.is_late = isinstance(node, (ast.FunctionDef, ast.ClassDef))
        self.is_loop = isinstance(node, (ast.For, ast.While))
        self.is_at_hand = getattr(node, "module", "") == "torch.optim.lr_scheduler"
        code = compile(ast.fix_missing_locations(ast.Module([node], [])), "cell", "exec")
        used, made = names(code)
        self.makes = made
        self.uses = [name for name in dict.fromkeys(used) if name not in BUILTINS]


def names(code, top=True):
    """Names that code reads from its module, and those that it sets there."""
    used, made = [], set()
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_NAME", "LOAD_GLOBAL") and not (top and step.argval in made):
            used.append(step.argval)
        elif step.opname in ("STORE_NAME", "STORE_GLOBAL") and top:
            made.add(step.argval)
    for inner in filter(lambda constant: isinstance(constant, types.CodeType), code.co_consts):
        used += [name for name in names(inner, top=False)[0] if name not in made]
    return used, made


def shown_formulas(notebook):
    """The formulas that a notebook shows and one of its explorers follows: {name: ...}.

    Of each its `source`, the `formula` of the explorer, which is the same one or calls it, and
    what must run `before`.
    """
    followed, shown, cells = set(), {}, []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or "%pip" in source:
            continue
        cells.append(source)
        for output in cell["outputs"]:
            data = output.get("data", {})
            followed |= set(re.findall(r'data-formula="(\w+)"', "".join(data.get("text/html", ""))))
            text = CODE.search("".join(data.get("text/markdown", "")))
            name = text and re.match(r"def (\w+)\(", text[1])
            if name and "show_source(" in source:
                shown.setdefault(name[1], text[1].rstrip("\n"))
    found = {}
    for name, source in shown.items():
        for formula in sorted(followed, key=lambda one: one != name):
            needed = context_of([formula], cells)
            if formula == name or re.search(rf"\b{name}\(", needed):
                before = "from lrcore.formulas import *\n" + ported(ast.parse(needed))
                found[name] = {"source": source, "formula": formula, "before": before}
                break
    return found


def for_page(exercise):
    """What the page needs of an exercise: ready to be written as JSON."""
    if exercise.colab:
        return {"number": exercise.number, "colab": True}
    return {
        "number": exercise.number,
        "before": ported(ast.parse(exercise.context)),
        "starter": exercise.starter,
    }
