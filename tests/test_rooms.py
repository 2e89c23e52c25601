"""The rooms of the package, its folders and single files, do not import each other in a circle."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "slic_mmaction"


def imported_modules(file: Path, package: Path) -> set[tuple[str, ...]]:
    """What a file imports of the package, anywhere in it: ``('losses', 'triplet', ...)``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # `level` dots go up from the file: one to its folder, and so on.
            here = (package.name, *file.relative_to(package).parts)
            start = here[: -node.level] if node.level else ()
            base = (*start, *(node.module or "").split("."))
            found |= {(*filter(None, base), alias.name) for alias in node.names}
    return {path[1:] for path in found if path[0] == package.name and len(path) > 1}


def imports_by_room(package: Path) -> dict[str, set[str]]:
    """By room: the others that it imports. The package's own ``__init__`` is not in a room."""
    imports = defaultdict(set)
    for file in package.rglob("*.py"):
        room = file.relative_to(package).parts[0].removesuffix(".py")
        if room != "__init__":
            imports[room] |= {path[0] for path in imported_modules(file, package)} - {room}
    return imports


def test_no_circle() -> None:
    imports = imports_by_room(PACKAGE)
    assert {"losses", "compat", "durable_file"} <= set(imports) and imports["hooks"] & set(imports)
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        pytest.fail("Rooms that import each other: " + " -> ".join(error.args[1][::-1]))


def test_the_page_on_the_organisation_is_true() -> None:
    text = (PACKAGE.parent / "docs" / "organisation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", text, re.MULTILINE)
    told = {room: set(re.findall(r"`(\w+)`", names)) for room, names in rows}
    imports = imports_by_room(PACKAGE)
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.glob("[!_.]*")} - {"py.typed"}
    assert told == {room: imports[room] & rooms for room in rooms}


def test_a_circle_is_found(tmp_path: Path) -> None:
    for name, text in (("a", "from ..b import x"), ("b", "import p.c"), ("c", "from .a import y")):
        file = tmp_path / "p" / (f"{name}.py" if name == "c" else f"{name}/__init__.py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    imports = imports_by_room(tmp_path / "p")
    assert imports == dict(a={"b"}, b={"c"}, c={"a"})
    with pytest.raises(CycleError):
        list(TopologicalSorter(imports).static_order())


@pytest.mark.parametrize("folder", ["tools", "benchmarks"])
def test_nothing_beside_a_script_hides_the_package(folder: str) -> None:
    """Python looks for modules in a script's own folder first."""
    assert not list((PACKAGE.parent / folder).rglob(f"{PACKAGE.name}*"))
