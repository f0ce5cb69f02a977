"""Prints the shape of a package: import cycles, duplicate public names, modules at its root.

    python tools/import_cycles.py [ROOT]

ROOT is the directory of the package (default: edgeagent beside this script's folder). Only syntax trees are
read; nothing is imported. Imports under ``if TYPE_CHECKING`` are ignored; imports inside functions count. A
cycle is a strongly connected component of two or more nodes. The exit code is 1 when packages form a cycle.

Packages are the direct children of ROOT: subpackages with all their modules, and modules at the root. With
``--depth 2`` subpackages of subpackages count as packages of their own.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

CONVENTIONS = frozenset({"add_parser", "add_parsers", "run", "main"})
"""Function names that command modules and ``python -m`` modules share by convention."""

Graph = Mapping[str, set[str]]


def read_modules(root: Path) -> dict[str, ast.Module]:
    """Return the syntax trees of all modules below ``root`` by dotted name; a package has its own name."""
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return modules


def import_graph(modules: Mapping[str, ast.Module], packages: Iterable[str]) -> dict[str, set[str]]:
    """Return the imported modules of each module, among ``modules``.

    Args:
        modules: syntax trees by dotted name.
        packages: names of those that are packages, for relative imports.
    """
    containers = set(packages)
    graph: dict[str, set[str]] = {}
    for name, tree in modules.items():
        base = name if name in containers else name.rpartition(".")[0]
        targets = {target for node in _imports(tree) for target in _targets(node, base, modules)}
        graph[name] = targets - {name}
    return graph


def group_graph(graph: Graph, depth: int) -> dict[str, set[str]]:
    """Return the graph of packages: names cut to ``depth`` parts below the root, self-imports removed."""
    grouped: dict[str, set[str]] = defaultdict(set)
    for name, targets in graph.items():
        group = _group(name, depth)
        grouped[group] |= {_group(target, depth) for target in targets} - {group}
    return dict(grouped)


def find_cycles(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components of two or more nodes, each sorted, largest first.

    Tarjan, "Depth-First Search and Linear Graph Algorithms", 1972; iterative.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    cycles = []
    for start in sorted(graph):
        if start in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(start, iter(sorted(graph[start])))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(sorted(graph.get(target, ())))))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    position = stack.index(node)
                    component, stack[position:] = stack[position:], []
                    on_stack.difference_update(component)
                    if len(component) > 1:
                        cycles.append(sorted(component))
    return sorted(cycles, key=lambda cycle: (-len(cycle), cycle))


def duplicate_names(modules: Mapping[str, ast.Module]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the public classes and functions defined in more than one module, as name -> modules.

    Only definitions at module level count; :data:`CONVENTIONS` are allowed.
    """
    classes: dict[str, list[str]] = defaultdict(list)
    functions: dict[str, list[str]] = defaultdict(list)
    for module, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].append(module)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                functions[node.name].append(module)
    return (
        {name: places for name, places in classes.items() if len(places) > 1},
        {name: places for name, places in functions.items() if len(places) > 1 and name not in CONVENTIONS},
    )


def main() -> int:
    """Print the shape of the package; return 1 when packages form a cycle."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(__file__).resolve().parents[1] / "edgeagent"
    parser.add_argument("root", nargs="?", type=Path, default=default, help="directory of the package")
    parser.add_argument("--depth", type=int, default=1, help="levels of packages (default 1)")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    modules = read_modules(root)
    containers = {".".join(p.parent.relative_to(root.parent).parts) for p in root.rglob("__init__.py")}
    graph = import_graph(modules, containers)
    packages = group_graph(graph, arguments.depth)
    packages.pop(root.name, None)  # the public API imports from all packages
    at_root = sorted(path.name for path in root.glob("*.py"))
    children = sorted(path.parent.name for path in root.glob("*/__init__.py"))
    package_cycles, module_cycles = find_cycles(packages), find_cycles(graph)
    classes, functions = duplicate_names(modules)
    print(f"packages at the root: {len(children)} ({', '.join(children)})")
    print(f"modules: {len(modules)}; at the root: {len(at_root)} ({', '.join(at_root)})")
    _print_cycles("packages", package_cycles)
    _print_cycles("modules", module_cycles)
    _print_names("classes", classes)
    _print_names("functions", functions)
    return 1 if package_cycles else 0


def _group(name: str, depth: int) -> str:
    return ".".join(name.split(".")[: depth + 1])


def _imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the import statements of a tree, except those under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from _imports(other)
        else:
            yield from _imports(node)


def _targets(
    node: ast.Import | ast.ImportFrom, base: str, modules: Mapping[str, ast.Module]
) -> Iterator[str]:
    """Yield the modules that an import statement of a module in package ``base`` names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules)
        return
    source = node.module or ""
    if node.level:
        parent = base.split(".")[: len(base.split(".")) - node.level + 1]
        source = ".".join([*parent, source] if source else parent)
    for alias in node.names:
        full = f"{source}.{alias.name}"
        if full in modules:
            yield full
        elif source in modules:
            yield source


def _print_cycles(kind: str, cycles: list[list[str]]) -> None:
    print(f"cycles among {kind}: {len(cycles)}")
    for cycle in cycles:
        print(f"  {len(cycle)}: {', '.join(cycle)}")


def _print_names(kind: str, names: Mapping[str, list[str]]) -> None:
    print(f"public {kind} defined more than once: {len(names)}")
    for name, places in sorted(names.items()):
        print(f"  {name}: {', '.join(places)}")


if __name__ == "__main__":
    sys.exit(main())
