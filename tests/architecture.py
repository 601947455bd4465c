"""What the layers, the imports and the sizes of both packages are: read from the source, nothing is imported.

``python -m tests.architecture`` prints the figures that ``tests/test_architecture.py`` checks.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"mexbench": ROOT / "benchmark" / "mexbench", "mexbench_plugins": ROOT / "plugins" / "mexbench_plugins"}

#: Rooms of the core, lowest layer first; a room imports from lower layers alone. Lazy and type-checking imports count.
LAYERS = (
    ("errors", "files", "tables"),
    ("interfaces", "devices"),
    ("fingerprint", "registry", "metrics"),
    ("config", "adapters"),
    ("data", "runs"),
    ("evaluation",),
    ("studies", "testing"),
    ("reports",),
    ("run_result",),
    ("cli",),
    ("api",),
)
#: The package itself, which has the Python API with lazy imports, and ``python -m mexbench``: above every layer.
TOP = ("mexbench", "mexbench.__main__")

#: What a plugin may import of the core; a name with a dot at its end stands for everything below it.
PUBLIC = (
    "mexbench", "mexbench.errors", "mexbench.files", "mexbench.fingerprint",
    "mexbench.interfaces", "mexbench.interfaces.", "mexbench.testing", "mexbench.adapters", "mexbench.adapters.",
    "mexbench.data.video.reader", "mexbench.data.video.clip_list", # one reader of films, one list of clips
    "mexbench.data.image", # one reader of pictures
    "mexbench.data.cache", # where a plugin may keep what it computes
    "mexbench.devices", # what JAX computes on, without loading it
    "mexbench.cli.output", # progress bars
    "mexbench.metrics.spotting", # a spotter chooses its threshold on the training side by its score
)  # fmt: skip


@dataclass(frozen=True)
class Function:
    """A function and its length in lines, decorators and docstring included."""

    module: str
    name: str
    lines: int


@cache
def modules() -> Mapping[str, Path]:
    """Return module -> file, of both packages."""
    result = {}
    for package, root in PACKAGES.items():
        for path in sorted(root.rglob("*.py")):
            parts = [package, *path.relative_to(root).with_suffix("").parts]
            result[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return result


@cache
def tree(module: str) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """Yield the modules of both packages that a module imports, anywhere in its text: in functions, for types."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            qualified = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules() else str(node.module) for name in qualified]
        else:
            continue
        yield from (name for name in names if name in modules() and name != module)


def graph() -> dict[str, set[str]]:
    """Return module -> the modules that it imports, without the modules above every layer."""
    below = [module for module in modules() if module not in TOP]
    return {module: set(imports(module)).intersection(below) for module in below}


def room(module: str) -> str:
    """Return the part of the core that a module belongs to: ``config`` of ``mexbench.config.loader``."""
    return module.split(".")[1]


def rooms() -> tuple[list[str], list[str]]:
    """Return the packages and the modules at the top of the core."""
    root = PACKAGES["mexbench"]
    packages = sorted(path.name for path in root.iterdir() if (path / "__init__.py").is_file())
    return packages, sorted(path.stem for path in root.glob("*.py") if not path.stem.startswith("__"))


def layer_violations() -> list[str]:
    """Return the imports of the core that go up, or sideways between two rooms of one layer."""
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    violations = []
    for module, targets in graph().items():
        if module.partition(".")[0] != "mexbench":
            continue
        if room(module) not in layer:
            violations.append(f"{module}: {room(module)!r} is in no layer")
            continue
        for target in sorted(targets):
            if target.partition(".")[0] != "mexbench":
                violations.append(f"{module} -> {target}: a plugin")
            elif room(target) != room(module) and layer.get(room(target), 0) >= layer[room(module)]:
                violations.append(f"{module} -> {target}")
    return violations


def private_imports() -> list[str]:
    """Return the imports of the core by plugins that are not of its public face."""
    below = tuple(name for name in PUBLIC if name.endswith("."))
    return [
        f"{module} -> {target}"
        for module, targets in graph().items()
        for target in sorted(targets)
        if module.partition(".")[0] == "mexbench_plugins"
        and target.partition(".")[0] == "mexbench"
        and not (target in PUBLIC or target.startswith(below))
    ]


def circles() -> list[list[str]]:
    """Return the groups of modules that import one another: strongly connected components, by Tarjan's algorithm."""
    edges, index, low = graph(), dict[str, int](), dict[str, int]()
    stack: list[str] = []
    result: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in sorted(edges[module]):
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            component = stack[stack.index(module) :]
            del stack[-len(component) :]
            if len(component) > 1:
                result.append(sorted(component))

    for module in edges:
        if module not in index:
            visit(module)
    return result


def duplicate_classes() -> dict[str, list[str]]:
    """Return the names of public classes that several modules define."""
    places: dict[str, list[str]] = {}
    for module in modules():
        for node in tree(module).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module)
    return {name: where for name, where in places.items() if len(where) > 1}


def n_lines(module: str) -> int:
    """Return the length of a module's file in lines."""
    return modules()[module].read_text(encoding="utf-8").count("\n")


def functions() -> Iterator[Function]:
    """Yield every function and method."""
    for module in modules():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                yield Function(module, node.name, (node.end_lineno or node.lineno) - first + 1)


def report() -> str:
    """Write the figures."""
    packages, plain = rooms()
    violations = layer_violations() + private_imports()
    long_modules = sorted(((n_lines(name), name) for name in modules() if n_lines(name) > 300), reverse=True)
    long_functions = sorted(
        ((function.lines, f"{function.module}.{function.name}") for function in functions() if function.lines > 60),
        reverse=True,
    )
    total = Counter(module.partition(".")[0] for module in modules() for _ in range(n_lines(module)))
    tests = sum(path.read_text(encoding="utf-8").count("\n") for path in (ROOT / "tests").rglob("*.py"))
    lines = [
        f"at the top of mexbench: {len(packages)} packages, {len(plain)} modules",
        f"circles: {len(circles())}",
        *(f"  {' <-> '.join(circle)}" for circle in circles()),
        f"violations of layers and of the public face: {len(violations)}",
        *(f"  {violation}" for violation in violations),
        f"public class names defined twice: {len(duplicate_classes())}",
        *(f"  {name}: {', '.join(where)}" for name, where in duplicate_classes().items()),
        f"modules over 300 lines: {len(long_modules)}",
        *(f"  {count} {name}" for count, name in long_modules),
        f"functions over 60 lines: {len(long_functions)}",
        *(f"  {count} {name}" for count, name in long_functions),
        f"lines: core {total['mexbench']}, plugins {total['mexbench_plugins']}, tests {tests}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
