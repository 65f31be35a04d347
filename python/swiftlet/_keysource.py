# SPDX-License-Identifier: BSD-3-Clause
"""The digests of what a worker imports: definitions in the user's modules as their source on disk says, and
everything else by the name and version of what it belongs to.

A definition counts with the statements of its module that bind the names it uses, in turn with what they use,
and with every statement that only has effects. Comments, line numbers, the order of definitions and whatever
else stands in the file do not count.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import hashlib
import importlib.util
import os
import site
import sys
import sysconfig
import types
from collections.abc import Iterator
from typing import Any

from swiftlet._keyvalues import Digester, digest_of

PYTHON = "python{}.{}".format(*sys.version_info[:2])

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_STDLIB: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset()) | frozenset(
    sys.builtin_module_names
)


class _Source:
    """A module's source: its top-level statements, by the names they bind."""

    def __init__(self, path: str, stamp: tuple[int, int], data: bytes) -> None:
        self.stamp = stamp
        self.binders: dict[str, list[int]] = {}
        self.effects: list[int] = []
        self.statements: list[ast.stmt] = ast.parse(data, path).body
        self._dumps: dict[int, bytes] = {}
        self._uses: dict[int, frozenset[str]] = {}
        for index, statement in enumerate(self.statements):
            names = list(_bound(statement))
            for name in names:
                self.binders.setdefault(name, []).append(index)
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if names:
                if "*" in names or self._changes_others(statement):
                    self.effects.append(index)
            elif not is_text and not isinstance(statement, ast.Pass):
                self.effects.append(index)

    def _changes_others(self, statement: ast.stmt) -> bool:
        """Whether a statement may do more than bind names: a loop that calls something, a definition whose
        decorator is of the user's and may register it somewhere.
        """
        if isinstance(statement, _DEFINITIONS):
            return any(not self._is_foreign(decorator) for decorator in statement.decorator_list)
        if isinstance(statement, (ast.For, ast.While, ast.If, ast.With, ast.Try)):
            return any(
                isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
                for node in ast.walk(statement)
            )
        return False

    def _is_foreign(self, expression: ast.expr) -> bool:
        """Whether it begins with a name of Python's or of an installed module's."""
        while not isinstance(expression, ast.Name):
            if isinstance(expression, (ast.Attribute, ast.Subscript)):
                expression = expression.value
            elif isinstance(expression, ast.Call):
                expression = expression.func
            else:
                return False
        statements = [self.statements[index] for index in self.binders.get(expression.id, ())]
        if not statements:
            return hasattr(builtins, expression.id)
        return all(_imports_installed(statement) for statement in statements)

    def text(self, index: int) -> bytes:
        """A statement without places and comments."""
        found = self._dumps.get(index)
        if found is None:
            found = self._dumps[index] = ast.dump(self.statements[index]).encode()
        return found

    def uses(self, index: int) -> frozenset[str]:
        """The names a statement mentions."""
        found = self._uses.get(index)
        if found is None:
            nodes = ast.walk(self.statements[index])
            found = self._uses[index] = frozenset(node.id for node in nodes if isinstance(node, ast.Name))
        return found


_sources: dict[str, _Source] = {}
_versions: dict[str, str] = {}


def of_name(digester: Digester, module: str) -> bytes:
    """A module that is only named: one of Python's or installed, by its version."""
    home = _home(module)
    if home is not None:
        return digest_of("module", module.encode(), home.encode())
    return _whole(digester, module)


def of_module(digester: Digester, module: types.ModuleType) -> bytes:
    """A module that a function has as a global or an argument."""
    return of_name(digester, module.__name__)


def of_import(digester: Digester, module: str, names: tuple[str, ...]) -> bytes:
    """What a function imports when it runs: ``import module``, or ``from module import names``."""
    node: ast.Import | ast.ImportFrom = ast.Import([ast.alias(module)])
    if names:
        node = ast.ImportFrom(module, [ast.alias(name) for name in names], 0)
    if _home(module) is None:
        digester.found.append((f"module {module}", "imported in the function: its source"))
    return digest_of("import", module.encode(), *_imports(digester, "__main__", node, set()))


def of_submodules(digester: Digester, module: types.ModuleType, names: frozenset[str]) -> list[bytes]:
    """The modules of a user's package that a function reaches by these names: ``package.module``."""
    if _home(module.__name__) is not None:
        return []
    parts = []
    for name in sorted(names):
        below = vars(module).get(name)
        if isinstance(below, types.ModuleType) and below.__name__ == f"{module.__name__}.{name}":
            parts += [name.encode(), of_module(digester, below), *of_submodules(digester, below, names)]
    return parts


def of_definition(digester: Digester, module: str, qualname: str) -> bytes:
    """A function or class at top level of a module, or below one there."""
    home = _home(module)
    if home is not None:
        if not home.startswith("python"):
            digester.found.append((module.partition(".")[0], home))
        return digest_of("definition", module.encode(), home.encode(), qualname.encode())
    name = qualname.partition(".")[0]
    digester.found.append((f"{module}.{qualname}", "its source, and what it uses"))
    return digest_of("definition", qualname.encode(), _closure(digester, module, {name}, set()))


def _whole(digester: Digester, module: str) -> bytes:
    """All of a user's module."""
    source = _source(digester, module)
    if not isinstance(source, _Source):
        return source
    digester.found.append((f"module {module}", "its whole source"))
    return _closure(digester, module, set(source.binders), set())


def _closure(digester: Digester, module: str, names: set[str], seen: set[tuple[str, str]]) -> bytes:
    """The statements of a module that bind ``names``, and all that these use."""
    source = _source(digester, module)
    if not isinstance(source, _Source):
        return source
    todo = sorted(names)
    indices: set[int] = set()
    parts: list[bytes] = []
    for index in source.effects:
        indices.add(index)
        todo += source.uses(index)
    done: set[str] = set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        for index in source.binders.get(name, ()):
            if index not in indices:
                indices.add(index)
                todo += source.uses(index)
    # Definitions may stand in any order, other statements may not.
    ordered = [index for index in sorted(indices) if not isinstance(source.statements[index], _DEFINITIONS)]
    free = [source.text(index) for index in indices if isinstance(source.statements[index], _DEFINITIONS)]
    parts += [source.text(index) for index in ordered] + [b"", *sorted(free)]
    for index in ordered:
        statement = source.statements[index]
        for node in ast.walk(statement):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                parts += _imports(digester, module, node, seen)
    for index in sorted(indices - set(ordered)):
        for node in ast.walk(source.statements[index]):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                parts += sorted(_imports(digester, module, node, seen))
    return digest_of("closure", *parts)


def _imports(
    digester: Digester, module: str, node: ast.Import | ast.ImportFrom, seen: set[tuple[str, str]]
) -> list[bytes]:
    """What the modules that are imported are."""
    targets: list[tuple[str, str | None]] = []
    if isinstance(node, ast.Import):
        for alias in node.names:
            words = alias.name.split(".")
            targets += [(".".join(words[:count]), None) for count in range(1, len(words) + 1)]
    else:
        base = node.module or ""
        if node.level:
            package = module if _is_package(module) else module.rpartition(".")[0]
            for _ in range(node.level - 1):
                package = package.rpartition(".")[0]
            base = f"{package}.{base}".strip(".")
        targets = [(base, alias.name) for alias in node.names]
    digests = []
    for name, attribute in targets:
        if (name, attribute or "*") in seen:
            continue
        seen.add((name, attribute or "*"))
        home = _home(name)
        if home is not None:
            digests.append(digest_of("module", name.encode(), home.encode()))
            continue
        if attribute is not None and attribute != "*":
            if _spec(f"{name}.{attribute}") is not None:  # a module of a package
                name, attribute = f"{name}.{attribute}", None
            else:
                digests.append(_closure(digester, name, {attribute}, seen))
                continue
        source = _source(digester, name)
        if isinstance(source, _Source):
            digests.append(_closure(digester, name, set(source.binders), seen))
        else:
            digests.append(source)
    return digests


def _source(digester: Digester, module: str) -> _Source | bytes:
    """The source of a user's module; the digest of its file where that is no source."""
    spec = _spec(module)
    path = getattr(sys.modules.get(module), "__file__", None) or (spec.origin if spec is not None else None)
    if spec is not None and path is None and spec.submodule_search_locations is not None:
        return digest_of("namespace", module.encode())
    if path is None:
        return digester.no_form(
            module, f"module {module!r} has no file, so it cannot be seen when it changes"
        )
    known = _sources.get(path)
    if known is not None and digester.fixed_sources:
        return known
    try:
        status = os.stat(path)
        stamp = (status.st_mtime_ns, status.st_size)
        if known is not None and known.stamp == stamp:
            return known
        with open(path, "rb") as file:
            data = file.read()
        if not path.endswith(".py"):
            return digest_of("file", hashlib.sha256(data).digest())
        source = _sources[path] = _Source(path, stamp, data)
    except (OSError, SyntaxError, ValueError) as error:
        return digester.no_form(module, f"the source of module {module!r} cannot be read: {error}")
    return source


def _spec(module: str) -> Any:
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        loaded = sys.modules.get(module)
        spec = getattr(loaded, "__spec__", None)
        return spec if spec is not None else importlib.util.find_spec(module)
    return None


def _is_package(module: str) -> bool:
    spec = _spec(module)
    return spec is not None and spec.submodule_search_locations is not None


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names a top-level statement binds (or changes: ``x.append(1)``, ``x[0] = 1``)."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield (alias.asname or alias.name).partition(".")[0]
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
            value = node.value
            while isinstance(value, (ast.Attribute, ast.Subscript)):
                value = value.value
            if isinstance(value, ast.Name):
                yield value.id


def _imports_installed(statement: ast.stmt) -> bool:
    """Whether a statement only imports, and only what is Python's or installed."""
    if isinstance(statement, ast.Import):
        return all(_home(alias.name) is not None for alias in statement.names)
    if isinstance(statement, ast.ImportFrom):
        return statement.level == 0 and _home(statement.module or "") is not None
    return False


def _home(module: str) -> str | None:
    """``python3.11``, or name and version of the distribution a module belongs to; None: it is the user's."""
    top = module.partition(".")[0]
    known = _versions.get(top)
    if known is not None:
        return known or None
    home = _find_home(top)
    _versions[top] = home or ""
    return home


def _find_home(top: str) -> str | None:
    if top == "builtins" or top in _STDLIB:
        return PYTHON
    if top == "swiftlet":
        from swiftlet._version import __version__

        return f"swiftlet {__version__}"
    loaded = sys.modules.get(top)
    path = getattr(loaded, "__file__", None)
    if path is None:
        spec = _spec(top)
        path = spec.origin if spec is not None else None
        if path is None and spec is not None and spec.submodule_search_locations:
            path = next(iter(spec.submodule_search_locations), None)
    if path is None or not _is_installed(os.path.realpath(path)):
        return None
    return _version_of(top, loaded)


def _version_of(top: str, loaded: object) -> str | None:
    from importlib import metadata

    with contextlib.suppress(metadata.PackageNotFoundError, ValueError):
        return f"{top} {metadata.version(top)}"
    finder = getattr(metadata, "packages_distributions", None)
    names = finder().get(top, ()) if finder is not None else ()
    versions = [f"{name} {metadata.version(name)}" for name in sorted(set(names))]
    if versions:
        return ", ".join(versions)
    version = getattr(loaded, "__version__", None)
    return f"{top} {version}" if isinstance(version, str) else None


def _is_installed(path: str) -> bool:
    return any(path.startswith(folder) for folder in _installation_folders())


_folders: list[str] = []


def _installation_folders() -> list[str]:
    """Where installed distributions and the standard library lie."""
    if not _folders:
        paths = sysconfig.get_paths()
        found = [paths["purelib"], paths["platlib"], *site.getsitepackages()]
        with contextlib.suppress(Exception):
            found.append(site.getusersitepackages())
        found += [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]
        _folders.extend(sorted({os.path.realpath(path) + os.sep for path in found if path}))
    return _folders
