"""Arguments of the wrong type, named when a component is built from a config.

Otherwise ``num_clusters="50"`` would come up an epoch later, as an error about ``<`` somewhere
inside a library. What a component declares in its signature is what it is held to. NaN, integers
of more than 64 bits, and infinity where it is not the default are no numbers to any of them; other
values are its own business.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeVar

from mmaction import registry as mmaction_registry
from mmengine.registry import Registry

Class = TypeVar("Class", bound=type)

PACKAGE = __name__.partition(".")[0]
REGISTRIES = [it for it in vars(mmaction_registry).values() if isinstance(it, Registry)]
_CHECKED = "_checks_argument_types"
_TOO_LARGE = 1 << 63


def check_argument_types(registries: Iterable[Registry]) -> None:
    """Have all components of this package check the types of their arguments.

    Args:
        registries (Iterable[Registry]): In which they are registered.
    """
    for registry in registries:
        for component in registry.module_dict.values():
            if inspect.isclass(component):
                typed(component)


def typed(component: Class) -> Class:
    """Have a class of this package check the types of its arguments; a decorator.

    Args:
        component (type): It may inherit its constructor, which is then checked in all classes
            that do. One that comes from elsewhere is left alone.
    """
    owner = next(base for base in component.__mro__ if "__init__" in vars(base))
    own = vars(owner)["__init__"]
    if owner.__module__.partition(".")[0] == PACKAGE and not hasattr(own, _CHECKED):
        owner.__init__ = _checking(own)  # type: ignore[misc]
    return component


def fits(value: Any, annotation: str) -> bool:
    """Whether a value is of a type, as it is written in a signature.

    Understands ``int``, ``float`` (any real number), ``bool``, ``str`` (also a path), ``None``,
    ``dict``, ``Callable``, ``Literal``, and ``Sequence``, ``list`` and ``tuple`` of these, each
    of which a list in a config may stand for, in unions. Anything fits what it does not know.

    Args:
        value (Any): Of an argument.
        annotation (str): For example ``'Sequence[int] | None'``.
    """
    return any(_fits(value, part) for part in _split(annotation, "|"))


def _fits(value: Any, annotation: str) -> bool:
    head, _, rest = annotation.partition("[")
    inner = rest[:-1]
    if head in ("Sequence", "list", "tuple"):
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            return False
        kinds = _split(inner, ",")
        if head != "tuple" or "..." in kinds:
            return all(fits(item, kinds[0]) for item in value) if inner else True
        return len(kinds) == len(value) and all(map(fits, value, kinds))
    if head == "Literal":
        return value in ast.literal_eval(f"({inner},)")
    if head in ("int", "float"):
        kind = Integral if head == "int" else Real
        if not isinstance(value, kind) or isinstance(value, bool) or math.isnan(value):
            return False
        return not isinstance(value, Integral) or abs(int(value)) < _TOO_LARGE
    known: dict[str, Any] = {
        "bool": bool,
        "str": (str, os.PathLike),
        "None": type(None),
        "dict": Mapping,
        "Callable": Callable,
    }
    return isinstance(value, known.get(head, object))


def _split(text: str, separator: str) -> list[str]:
    """Split where no bracket is open."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _is_infinite(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_is_infinite, value))
    return isinstance(value, float) and math.isinf(value)


def _checking(own: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(own)
    declared = {
        name: parameter
        for name, parameter in signature.parameters.items()
        if isinstance(parameter.annotation, str)
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }

    @functools.wraps(own)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            given = signature.bind(self, *args, **kwargs).arguments
        except TypeError:
            given = {}  # what is missing or not known by name is Python's to say, below
        for name, value in given.items():
            if name not in declared:
                continue
            kind, default = declared[name].annotation, declared[name].default
            if not fits(value, kind) or (_is_infinite(value) and not _is_infinite(default)):
                raise TypeError(
                    f"{type(self).__name__} needs {name} of type {kind}, but got "
                    f"{reprlib.repr(value)} of type {type(value).__name__}."
                )
        own(self, *args, **kwargs)

    setattr(checked, _CHECKED, True)
    return checked
