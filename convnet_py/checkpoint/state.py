"""What a checkpoint holds: where a run stands, its layers, its costs so far, and where it came from (spec 4.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """The costs of a batch, or of a test: cost name -> values summed over ``cases`` (spec 3.7).

    ``trained``: how many batches had been trained by then, which places a test on the training curve.
    ``divided``: the values are already per case, as in files of 2012 (spec 4.3).
    """

    costs: dict[str, list[float]]
    cases: int
    trained: int
    divided: bool = False

    def per_case(self) -> dict[str, list[float]]:
        """The values divided by the cases."""
        if self.divided:
            return {name: list(values) for name, values in self.costs.items()}
        return {name: [value / self.cases for value in values] for name, values in self.costs.items()}


@dataclass(frozen=True)
class LayerReference:
    """In place of a layer dictionary that stands within another one: the layer's name."""

    name: str


@dataclass
class Origin:
    """What a historic checkpoint holds beyond its layers and costs, so that it can be written again as it was.

    ``release``: 2011, 2012 or 2014. ``container``: what held the layers: list, dict, or an OrderedDict by its full
    name. ``model_state`` and ``rest``: all other entries of the file; the options are in ``rest["op"]``.
    """

    release: str
    container: str
    model_state: dict[Any, Any]
    rest: dict[Any, Any]


@dataclass
class Checkpoint:
    """The state of a run after training batch ``batch`` of ``epoch``.

    ``options``: option name -> text, the given ones. ``layers``: layer dictionaries in definition order
    (spec 2.9); read from a file, they lack the ``inputLayers`` references. ``test_batch``: the next one
    to test on. ``*_random``: the providers' ``RandomState.get_state()`` before their next batch, None
    where a run has no such provider. ``engine_state``: ``Engine.state()`` of the engine ``engine``.
    ``origin``: of a historic file that was not brought to the common form; its layers are those of its release.
    """

    options: dict[str, str]
    layers: dict[str, dict[str, Any]]
    epoch: int = 0
    batch: int = 0
    test_batch: int = 0
    train_outputs: list[Outcome] = field(default_factory=list)
    test_outputs: list[Outcome] = field(default_factory=list)
    train_random: tuple | None = None
    test_random: tuple | None = None
    engine: str = ""
    engine_state: dict[str, np.ndarray] = field(default_factory=dict)
    origin: Origin | None = None

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.epoch}.{self.batch}"
