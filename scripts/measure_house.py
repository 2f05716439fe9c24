"""Counts what the rules of the house are about: arrows, flat files, imports inside functions, names that are no verbs.

python scripts/measure_house.py            the figures
python scripts/measure_house.py --list     and every place behind them
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "cvserve"
PREDICTOR = SOURCE / "predictor"
_IRREGULAR = frozenset(
    """begun bound broken built chosen done drawn found given gone grown heard held kept known laid left lost made meant
    met said seen sent shown spoken taken thought thrown told torn worn written""".split()  # noqa: SIM905 - easier to read
)
_CONTEXT = frozenset(("name", "title", "file_name", "folder"))
# End like participles and are none.
_VERBS = frozenset(("need", "feed", "seed", "speed", "embed", "proceed", "exceed", "succeed", "shed"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def is_property(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is read like an attribute, so that a noun or an adjective is right."""
    names = [ast.unparse(decorator).rpartition(".")[2] for decorator in function.decorator_list]
    return any(name in ("property", "cached_property", "setter") for name in names)


def is_participle(name: str) -> bool:
    """Whether the first word is one: `decoded`, `_told`, `shown_default`."""
    word = name.strip("_").split("_")[0]
    return word in _IRREGULAR or (word.endswith("ed") and len(word) > 3 and word not in _VERBS)


def participles() -> list[str]:
    """Functions that are named by a participle; properties are attributes, not functions."""
    return [
        f"{path.relative_to(SOURCE)}:{function.lineno} {function.name}"
        for path, tree in _parsed()
        for function in functions(tree)
        if is_participle(function.name) and not is_property(function)
    ]


def context_parameters() -> list[str]:
    """Parameters that only carry the context of a message along: it can be added once, where it is known."""
    return [
        f"{path.relative_to(SOURCE)}:{argument.lineno} {function.name}({argument.arg})"
        for path, tree in _parsed()
        for function in functions(tree)
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        if argument.arg in _CONTEXT
    ]


def inner_imports() -> list[str]:
    """Import statements inside functions."""
    found = set[str]()
    for path, tree in _parsed():
        for function in functions(tree):
            for node in ast.walk(function):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    found.add(f"{path.relative_to(SOURCE)}:{node.lineno} {ast.unparse(node)}")
    return sorted(found)


def flat_files() -> list[str]:
    """Files of `predictor/` that are in none of its folders."""
    return sorted(path.name for path in PREDICTOR.glob("*.py") if path.name != "__init__.py")


def arrows() -> list[str]:
    """Imports between the rooms of `predictor/`: its flat files, and each of its folders as one room."""
    found = set[tuple[str, str]]()
    for path, tree in _parsed():
        if PREDICTOR not in path.parents or path.name == "__init__.py":
            continue
        for node in ast.walk(tree):
            found |= {(_room(path), room) for room in _rooms_named_by(node)}
    return sorted(f"{one} -> {other}" for one, other in found if one != other)


def _room(path: Path) -> str:
    return path.relative_to(PREDICTOR).parts[0].removesuffix(".py")


def _rooms_named_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "cvserve.predictor":
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cvserve.predictor."):
        yield (node.module or "").split(".")[2]


def _parsed() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


FIGURES = {
    "arrows between the rooms of predictor/": arrows,
    "flat files in predictor/": flat_files,
    "imports inside functions": inner_imports,
    "functions named by a participle": participles,
    "parameters named name, title, file_name or folder": context_parameters,
}


def main() -> None:
    """Print them."""
    for name, count in FIGURES.items():
        found = count()
        print(f"{len(found):4}  {name}")
        if "--list" in sys.argv:
            print("".join(f"        {line}\n" for line in found), end="")


if __name__ == "__main__":
    main()
