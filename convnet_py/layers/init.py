"""Functions named in a definition file that supply initial weights, biases or connections (spec 2.4).

They are code of the user's. None is looked for, let alone run, unless the user allows it.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from convnet_py.errors import LayerFileError
from convnet_py.layers.base import Net
from convnet_py.layers.ini import problem_at
from convnet_py.layers.keys import Keys

_SYNTAX = re.compile(r"([^.(]+)\.([^(]+)(?:\((.*)\))?", re.DOTALL)


def check_init_function(keys: Keys, key: str) -> None:
    """Note a problem where the text of ``key`` is no ``module.function(parameter,...)``."""
    text = keys.text(key)
    if text is not None and not _SYNTAX.fullmatch(text):
        keys.bad(key, "module.function or module.function(parameter,...)", text)
    elif text is not None and not keys.allow_init_functions:
        keys.problem(f"{key} {text} would run code, which is not allowed; --allow-init-functions=1 allows it", key)


def init_function(layer: dict, keys: Keys, net: Net, key: str) -> InitFunction | None:
    """The function that ``key`` names, or None without that key. Raises LayerFileError where it is not found."""
    text = keys.text(key)
    return None if text is None else InitFunction(layer, keys, net.definition.path.parent, key, text)


class InitFunction:
    """A user's function with its checks; mistakes raise LayerFileError in one line."""

    def __init__(self, layer: dict, keys: Keys, folder: Path, key: str, text: str):
        module_name, self._name, arguments = _SYNTAX.fullmatch(text).groups()
        self._layer = layer["name"]
        self._where = (keys.ini.path, keys.raw(key).line)
        self._what = f"{key} {text}"
        self._params = [item.strip() for item in arguments.split(",")] if arguments else []
        module = self._guarded(lambda: _find_module(module_name, folder))
        if module is None:
            self._fail(f"no module '{module_name}' in {folder} or on the Python path")
        self._function = getattr(module, self._name, None)
        if not callable(self._function):
            self._fail(f"module '{module_name}' has no function '{self._name}'")

    def __call__(self, shape: tuple[int, int], index: int | None = None) -> np.ndarray:
        """Initial weights of input ``index``, or biases: float32 of that shape."""
        values = self._call(shape, index)
        if not isinstance(values, np.ndarray):
            self._fail(f"must return a NumPy array, not {type(values).__name__}", index)
        if values.dtype != np.float32:
            self._fail(f"must return float32 values, not {values.dtype}", index)
        if values.shape != shape:
            self._fail(f"must return shape {shape}, not {values.shape}", index)
        return values

    def connections(self, sizes: tuple[int, int, int], index: int) -> list[int]:
        """The channels of each group in turn, for (groups, channels, filter channels)."""
        groups, channels, filter_channels = sizes
        values = self._call(sizes, index)
        try:
            connections = [int(channel) for channel in values]
        except (TypeError, ValueError, OverflowError):
            self._fail(f"must return a list of ints, not {type(values).__name__}", index)
        if len(connections) != groups * filter_channels:
            self._fail(f"must return {groups * filter_channels} channels, not {len(connections)}", index)
        for start in range(0, len(connections), channels):
            if sorted(connections[start : start + channels]) != list(range(channels)):
                self._fail(f"must return permutations of the {channels} channels, one after the other", index)
        return connections

    def _call(self, shape: tuple[int, ...], index: int | None) -> Any:
        arguments = (self._layer, shape) if index is None else (self._layer, index, shape)
        return self._guarded(lambda: self._function(*arguments, params=list(self._params)), index)

    def _guarded(self, run: Callable[[], Any], index: int | None = None) -> Any:
        try:
            return run()
        except Exception as error:  # whatever the user's code raises is the user's to see
            self._fail(f"failed: {type(error).__name__}: {error}", index)

    def _fail(self, message: str, index: int | None = None) -> None:
        name = self._layer if index is None else f"{self._layer}[{index}]"
        raise LayerFileError([problem_at(*self._where, f"Layer '{name}': {self._what}: {message}")])


def _find_module(name: str, folder: Path) -> ModuleType | None:
    """The module beside the definition file (run anew each time), else the one on the Python path."""
    path = folder / f"{name}.py"
    if path.is_file():
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    if importlib.util.find_spec(name) is None:
        return None
    return importlib.import_module(name)
