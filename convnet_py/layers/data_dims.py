"""How many values per case the data has: layer files do not say, but often leave little choice (spec 2.3).

Used where a net is looked at without its data, as by ``convnet layers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from convnet_py.errors import UsageError
from convnet_py.layers.ini import IniFile, InterpolationError

#: sides of square images to try, by channels, in this order: CIFAR, ImageNet crops, CIFAR crops; MNIST, digits.
SIDES = {3: (32, 224, 24), 1: (28, 8)}
OTHER_SIDES = (32, 16, 8)

_ONE_LABEL = ("cost.logreg", "cost.gsum2")
_LIKE_THEIR_INPUT = ("softmax", "neuron", "hs", "eltsum", "eltmax")


@dataclass
class DataDims:
    """What a definition file tells of its data: ``fixed`` values per case by matrix, ``channels`` of its images."""

    fixed: dict[int, int] = field(default_factory=dict)
    channels: dict[int, int] = field(default_factory=dict)

    def candidates(self) -> Iterator[dict[int, int]]:
        """Values per case by matrix, the likeliest first; all images have the same side."""
        known = SIDES.get(max(self.channels.values(), default=0), OTHER_SIDES)
        for side in known if self.channels else (0,):
            yield {**self.fixed, **{index: channels * side**2 for index, channels in self.channels.items()}}

    def describe(self, dims: dict[int, int]) -> str:
        """``dims`` for readers, images as channels x height x width."""
        shown = []
        for index, values in sorted(dims.items()):
            channels = self.channels.get(index)
            side = round((values / channels) ** 0.5) if channels else 0
            shown.append(f"matrix {index} has {f'{channels} x {side} x {side}' if channels else values}")
        return ", ".join(shown)


def deduce(definition: IniFile) -> DataDims:
    """What the users of the data layers tell. Raises UsageError where they tell nothing of a matrix."""
    found, silent = DataDims(), {}
    for name in definition.sections:
        index = _integer(_text(definition, name, "dataidx"))
        if _text(definition, name, "type") != "data" or index is None:
            continue  # reading the net reports a data layer without its index
        users = list(_users(definition, name))
        channels = [_channels(definition, user, position) for user, position in users]
        values = [_label_values(definition, user, position) for user, position in users]
        if any(channels):
            found.channels[index] = next(filter(None, channels))
        elif any(values):
            found.fixed[index] = next(filter(None, values))
        else:
            silent[index] = name
    for index in silent.keys() - found.channels.keys() - found.fixed.keys():
        raise UsageError(
            f"{definition.path}: nothing tells how many values per case data layer '{silent[index]}' has; "
            f"give --data-dims=D0,D1,... (matrix {index} is this layer's)"
        )
    return found


def parse_data_dims(text: str) -> list[int]:
    """Values per case of the matrices 0, 1, ... from ``3072,1,10``. Raises UsageError."""
    dims = [_integer(item) for item in text.split(",")]
    if any(values is None or values < 1 for values in dims):
        raise UsageError(f"--data-dims: got '{text}', takes the values per case of each matrix, for example 3072,1")
    return [values for values in dims if values is not None]


def highest_device(definition: IniFile) -> int:
    """The highest device that a definition file names."""
    return max((_integer(_text(definition, name, "gpu")) or 0 for name in definition.sections), default=0)


def _users(definition: IniFile, name: str) -> Iterator[tuple[str, int]]:
    for user in definition.sections:
        for position, source in enumerate((_text(definition, user, "inputs") or "").split(",")):
            if source.strip() == name:
                yield user, position


def _channels(definition: IniFile, user: str, position: int) -> int | None:
    """The channels of the images that a layer takes as input ``position``."""
    if (_text(definition, user, "type") or "").startswith("rgb2"):
        return 3
    items = (_text(definition, user, "channels") or "").split(",")
    channels = _integer(items[position] if position < len(items) else items[0])
    return channels if channels and channels > 0 else None


def _label_values(definition: IniFile, user: str, position: int) -> int | None:
    """The values per case of a cost's labels."""
    kind = _text(definition, user, "type") or ""
    if position or not kind.startswith("cost."):
        return None
    inputs = (_text(definition, user, "inputs") or "").split(",")
    if kind in _ONE_LABEL:
        return 1
    return _outputs(definition, inputs[1].strip()) if len(inputs) == 2 else None


def _outputs(definition: IniFile, name: str) -> int | None:
    """The outputs of a layer, where it is an fc layer or one that hands on what it gets from one."""
    seen: set[str] = set()
    while name in definition and name not in seen and _text(definition, name, "type") in _LIKE_THEIR_INPUT:
        seen.add(name)
        name = (_text(definition, name, "inputs") or "").split(",")[0].strip()
    return _integer(_text(definition, name, "outputs")) if name in definition else None


def _text(definition: IniFile, name: str, key: str) -> str | None:
    try:
        value = definition.get(name, key)
    except InterpolationError:
        return None  # reading the net reports it
    return value.text if value else None


def _integer(text: str | None) -> int | None:
    try:
        return int(text) if text is not None and len(text) < 10 else None
    except ValueError:
        return None
