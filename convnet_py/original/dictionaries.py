"""The layer dictionaries as the historic sources take them: every key that they read, of the type that they read it as,
under names that sort in definition order (spec 6.5).

The sources check little: a missing text ends the process, an int where a float is read is misread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from convnet_py.errors import EngineError

_ALL = """name:str type:str gpu:int gradConsumer:int actsTarget:int actsGradTarget:int conserveMem:int outputs:int
quantF:choice quantB:choice inputs:[str]"""
_WEIGHTS = """weights:[array] weightsInc:[array] biases:array biasesInc:array schedW:choice schedB:choice momW:[float]
momB:float epsW:[float] epsB:float wc:[float] wballNormed:[float] superEps:float superMom:float
weightSourceLayers:[str] weightSourceMatrixIndices:[int]"""
_LOCAL = f"""{_WEIGHTS} padding:[int] stride:[int] filterSize:[int] channels:[int] imgSize:[int] filters:int
groups:[int] filterChannels:[int] randSparse:[int] overSample:[int] filterPixels:[int] imgPixels:[int] modulesX:int
modules:int filterConns:[[int]]"""
_NORM = "channels:int size:int scale:float pow:float"

#: Layer type -> the keys that the sources read of it beyond ``_ALL``, with their types.
_KEYS = {
    "data": "dataIdx:int",
    "conv": f"{_LOCAL} partialSum:int sharedBiases:int wcNormMin:[float] wcNormMax:[float]",
    "local": _LOCAL,
    "fc": _WEIGHTS,
    "treefc": f"{_WEIGHTS} rootLabel:int tree:[[int]]",
    "softmax": "",
    "neuron": "neuron:choice",
    "eltsum": "coeffs:[float]",
    "eltmax": "",
    "concat": "copyOffsets:[int]",
    "hs": "enable:int keep:float",
    "pool": "channels:int sizeX:int start:int stride:int outputsX:int imgSize:int pool:str doMax:int",
    "rnorm": _NORM,
    "cnorm": f"{_NORM} imgSize:int",
    "cmrnorm": f"{_NORM} blocked:int minDiv:float",
    "nailbed": "channels:int start:int stride:int outputsX:int imgSize:int",
    "blur": "channels:int filter:array",
    "href": "channels:int imgSize:int",
    "resize": "channels:int imgSize:int tgtSize:int scale:float",
    "rscale": "channels:int imgSize:int tgtSize:int maxScale:float",
    "rgb2yuv": "",
    "rgb2lab": "center:int",
    "cost.logreg": "coeff:float topk:int",
    "cost.crossent": "coeff:float",
    "cost.crossent2": "coeff:float",
    "cost.rflickr": "coeff:float",
    "cost.sum2": "coeff:float",
    "cost.gsum2": "coeff:float",
    "cost.msm": "coeff:float setSize:int numOut:int threads:int",
    "cost.tica": "coeff:float channels:int sizeX:int",
}

#: Layers whose matrices are in Fortran order, as in 2012; those of all others are in C order.
FORTRAN_ORDERED = {"fc", "treefc"}

#: Params of schedules and neurons: floats, all but this one.
_INTEGER_PARAMS = {"numSteps"}


class Names:
    """Layer names in definition order, and the prefixed ones, sorted alike, that the sources get for them."""

    def __init__(self, names: Iterable[str]):
        names = list(names)
        digits = len(str(len(names)))
        self._given = {name: f"{place:0{digits}d}_{name}" for place, name in enumerate(names)}
        self._own = {given: name for name, given in self._given.items()}
        longest_first = sorted(self._own, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")

    def given(self, name: str) -> str:
        """What the sources call the layer; '' stays ''. Raises KeyError."""
        return self._given[name] if name else ""

    def own(self, given: str) -> str:
        """What the layer file calls it. Raises KeyError."""
        return self._own[given]

    def in_text(self, text: str) -> str:
        """What the sources print, with the names of the layer file."""
        return self._pattern.sub(lambda match: self._own[match[0]], text)


def dictionaries_for_sources(
    layers: Mapping[str, dict], names: Names, share: Callable[[np.ndarray, str], Any]
) -> dict[str, dict[str, Any]]:
    """The dictionaries to hand over, by prefixed name.

    ``share(array, order)`` says what stands for an array, in order C or F. Raises EngineError naming layer and key
    where something is missing, or of a type that the sources would misread.
    """
    return {names.given(name): _dictionary(layer, names, share) for name, layer in layers.items()}


def _dictionary(layer: dict, names: Names, share: Callable[[np.ndarray, str], Any]) -> dict[str, Any]:
    kind = layer.get("type")
    if kind not in _KEYS:
        raise EngineError(f"layer '{layer.get('name')}': the original sources have no layers of type '{kind}'")
    order = "F" if kind in FORTRAN_ORDERED else "C"
    converted = {}
    for item in f"{_ALL} {_KEYS[kind]}".split():
        key, _, wanted = item.partition(":")
        if key not in layer:
            raise EngineError(f"layer '{layer['name']}': it lacks the key '{key}', which the original sources read")
        try:
            converted[key] = _convert(layer[key], wanted, lambda array: share(array, order))
        except (TypeError, ValueError, OverflowError):
            raise EngineError(
                f"layer '{layer['name']}': key '{key}' is {repr(layer[key])[:60]}, the original sources read "
                f"{_DESCRIBED[wanted]}"
            ) from None
    converted["name"] = names.given(layer["name"])
    for key in ("inputs", "weightSourceLayers"):
        converted[key] = [names.given(name) for name in converted.get(key, ())]
    if "weights" not in layer:
        del converted["weightSourceLayers"]
    return converted


_DESCRIBED = {
    "str": "a text", "int": "an integer of 32 bits", "float": "a number", "array": "a float32 matrix",
    "choice": "a type with parameters", "[str]": "a list of texts", "[int]": "a list of integers",
    "[float]": "a list of numbers", "[array]": "a list of float32 matrices", "[[int]]": "a list of lists of integers",
}  # fmt: skip


def _convert(value: Any, wanted: str, share: Callable[[np.ndarray], Any]) -> Any:
    """``value`` as exactly the type that the sources read. Raises TypeError or ValueError."""
    if wanted.startswith("["):
        if not isinstance(value, (list, tuple, np.ndarray)):
            raise TypeError
        return [_convert(item, wanted[1:-1], share) for item in value]
    return {"str": _text, "int": _integer, "float": _number, "choice": _choice, "array": lambda v: share(_matrix(v))}[
        wanted
    ](value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    return value


def _integer(value: Any) -> int:
    if isinstance(value, (str, bytes)) or int(value) != value or not -(2**31) <= value < 2**31:
        raise TypeError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise TypeError
    return float(value)


def _matrix(value: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.dtype != np.float32 or value.ndim != 2:
        raise TypeError
    return value


def _choice(value: Any) -> dict[str, Any]:
    """A schedule, quantization or neuron."""
    if not isinstance(value, dict):
        raise TypeError
    params = {
        name: _integer(param) if name in _INTEGER_PARAMS else _number(param)
        for name, param in value.get("params", {}).items()
    }
    return {"type": _text(value.get("type")), "params": params}
