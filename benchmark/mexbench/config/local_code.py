"""A model that is an object of the user's own session, no installed plugin, as ``mexbench.evaluate`` takes it.

Its parameters are not the fields of a plugin, so its identity is a description of the object: class, settings, the
digest of its code. What cannot be described gets a new identity each time, and so no stored result is ever reused for
it by mistake.
"""

from __future__ import annotations

import functools
import sys
import types
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mexbench.config.run_config import Component
from mexbench.fingerprint import digest, digest_array, digest_code
from mexbench.interfaces import Model

#: Flag of every row that was made with code which is not an installed plugin; also what such a row has for a plugin.
LOCAL_CODE = "local-code"
_MAX_DEPTH = 12


@dataclass(frozen=True)
class LocalComponent(Component[Model]):
    """A model of the user's session.

    Args:
        summary: What it is, for people.
        code: Digest of its description, see ``describe``.
    """

    summary: str = ""
    code: str = field(default_factory=lambda: uuid.uuid4().hex)

    def resolved(self, *, recorded: bool = False) -> dict[str, object]:
        """Return what a manifest says of it; no config can name it."""
        return {**super().resolved(recorded=recorded), "model": self.summary, "code": self.code}

    def identity(self, *, recorded: bool = False) -> dict[str, object]:
        """Return what decides the results."""
        return {**super().identity(recorded=recorded), "model": self.summary, "code": self.code}

    def flags(self) -> tuple[str, ...]:
        """Return the model's flags and the one of local code."""
        return (*super().flags(), LOCAL_CODE)


def local_component(model: Model, original: object, name: str) -> LocalComponent:
    """Wrap a model.

    Args:
        model: The model.
        original: What the user gave, if ``model`` is an adapter of it.
        name: Name of its rows.
    """
    return LocalComponent(
        plugin=LOCAL_CODE, name=name, distribution=LOCAL_CODE, instance=model,
        summary=_summary(original), code=digest(describe(model)),
    )  # fmt: skip


def _summary(original: object) -> str:
    if isinstance(original, type | types.FunctionType):
        return f"{original.__module__}.{original.__qualname__}"
    text = " ".join(repr(original).split())
    if " at 0x" in text:  # an address, which differs each time
        text = f"{type(original).__module__}.{type(original).__qualname__}"
    return text if len(text) <= 200 else f"{text[:197]}..."


def describe(value: object) -> object:
    """Return a JSON value that two objects share only if they train the same way."""
    return _Description().of(value)


class _Description:
    """Describes one object, with what is inside it."""

    def __init__(self) -> None:
        self.around: list[object] = []  # what is being described now: an object may refer to itself

    def of(self, value: object) -> Any:  # noqa: ANN401 - any JSON value
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float | complex | bytes | np.generic | types.ModuleType | types.BuiltinFunctionType):
            text = repr(value)
            return [type(value).__name__, text.partition(" at 0x")[0]]
        for depth, outer in enumerate(self.around):
            if outer is value:
                return ["outer", depth]
        if len(self.around) > _MAX_DEPTH:
            return _unique()
        self.around.append(value)
        try:
            return self._composite(value)
        finally:
            self.around.pop()

    def _composite(self, value: Any) -> Any:  # noqa: ANN401
        kinds: dict[Any, Callable[[Any], Any]] = {
            np.ndarray: lambda array: ["array", digest_array(array)] if array.dtype != object else _unique(),
            (list, tuple): lambda items: [type(items).__name__, [self.of(one) for one in items]],
            (set, frozenset): lambda items: [type(items).__name__, sorted(map(repr, items))],
            Mapping: self._mapping,
            types.FunctionType: self._function,
            type: self._class,
            functools.partial: lambda made: ["partial", *map(self.of, (made.func, made.args, made.keywords))],
            types.MethodType: lambda method: ["method", self.of(method.__func__), self.of(method.__self__)],
            np.ufunc: lambda function: ["ufunc", function.__name__],
        }
        return next((describe(value) for kind, describe in kinds.items() if isinstance(value, kind)), None) or (
            self._instance(value)
        )

    def _mapping(self, items: Mapping[Any, Any]) -> Any:  # noqa: ANN401
        return ["mapping", [[self.of(key), self.of(one)] for key, one in items.items()]]

    def _instance(self, value: Any) -> Any:  # noqa: ANN401
        name = self.of(type(value))
        if callable(parameters := getattr(value, "get_params", None)):  # scikit-learn's: what is fitted has no effect
            return ["estimator", name, self.of(parameters(deep=False))]
        if callable(getattr(value, "state_dict", None)) and callable(getattr(value, "parameters", None)):
            weights = {key: digest_array(one.detach().cpu().numpy()) for key, one in value.state_dict().items()}
            return ["module", name, repr(value), weights]  # PyTorch's
        if hasattr(value, "__dict__"):
            return ["object", name, self.of(vars(value))]
        return ["value", name, repr(value)] if " at 0x" not in repr(value) else _unique()

    def _class(self, cls: type) -> Any:  # noqa: ANN401
        name = ["class", cls.__qualname__, _module(cls.__module__)]
        if cls.__module__ != "__main__":
            return name
        # Written in a notebook or at a prompt: where there is no file, its functions speak for it.
        own = {key: one for key, one in vars(cls).items() if isinstance(one, types.FunctionType | int | float | str)}
        bases = [self.of(base) for base in cls.__bases__]
        return [*name, [[key, self.of(own[key])] for key in sorted(own) if key not in _NAMING], bases]

    def _function(self, function: types.FunctionType) -> Any:  # noqa: ANN401
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        used: dict[str, object] = {}
        if function.__module__ == "__main__":  # else the digest of the module has what it uses
            names = sorted(_names(function.__code__))
            used = {name: function.__globals__[name] for name in names if name in function.__globals__}
        beside = [function.__defaults__, function.__kwdefaults__, cells, used]
        code = _code(function.__code__)
        return ["function", function.__qualname__, _module(function.__module__), code, [self.of(x) for x in beside]]


#: Attributes of a class that say where it is written.
_NAMING = ("__module__", "__firstlineno__", "__doc__")


def _module(name: str) -> list[str]:
    """Describe a module: an installed one by its version, one of the user's own by its code."""
    top = sys.modules.get(name.partition(".")[0])
    file = str(getattr(top, "__file__", None) or "")
    if name == "builtins" or top is None:
        return [name]
    if "site-packages" in file or "dist-packages" in file:
        return [name, str(getattr(top, "__version__", ""))]
    return [name, digest_code(_class_in(name))]


@functools.cache
def _class_in(module: str) -> type:
    """Return a class of a module, which is what ``digest_code`` takes."""
    return type("InModule", (), {"__module__": module})


def _is_filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _names(code: types.CodeType) -> set[str]:
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _code(code: types.CodeType) -> list[Any]:
    constants = [_code(one) if isinstance(one, types.CodeType) else repr(one) for one in code.co_consts]
    return [code.co_code.hex(), constants, list(code.co_names), list(code.co_varnames)]


def _unique() -> str:
    return uuid.uuid4().hex
