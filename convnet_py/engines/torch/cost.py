"""The costs in the torch engine (spec 3.7): their values, and the objective that autograd climbs.

An objective is minus coeff times the cost, or where the historic gradient is not the cost's own, something
that has that gradient. Values are summed in double.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from convnet_py.engines.torch.base import Tensor, along_both_axes, as_images, window_matrix

#: What stands for 0 below a logarithm or a fraction: log 0 = -50.
_GUARD = math.exp(-50)


@dataclass(frozen=True)
class CostInputs:
    """A cost's inputs (cases, values). ``below``: the input of the softmax or logistic neuron that it is fused with."""

    values: list[Tensor]
    below: Tensor | None


@dataclass(frozen=True)
class Cost:
    """A cost of one minibatch: its values, summed over the cases, and the objective for a coeff of 1."""

    values: list[float]
    objective: Tensor


#: The type of the layer that a cost takes the gradient through, if it is that layer's only user.
FUSED_WITH: dict[str, Callable[[dict], bool]] = {
    "cost.logreg": lambda below: below["type"] == "softmax",
    "cost.crossent": lambda below: below["type"] == "softmax",
    "cost.crossent2": lambda below: below["type"] == "neuron" and below["neuron"]["type"] == "logistic",
}


def _guarded(x: Tensor) -> Tensor:
    return x + _GUARD * (x == 0)


def _label_rows(labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Labels as indices, (cases, 1), and 1 for each; both are harmless but NaN for 1 where there is no such class."""
    valid = (labels >= 0) & (labels < classes) & (labels == labels.floor())
    return torch.where(valid, labels, 0).long(), torch.where(valid, 1.0, torch.nan)


def _share_of_places(scores: Tensor, own: Tensor, places: int) -> float:
    """The sum over cases of the share that ``own`` (cases, 1) gets of the first ``places`` scores; ties share."""
    slots = places - (scores > own).sum(dim=1)
    ties = (scores == own).sum(dim=1)  # 0 for NaN
    shares = (slots.double() / ties.clamp(min=1)).clamp(0, 1)
    return shares[ties > 0].sum().item()


def _logreg(layer: dict, inputs: CostInputs) -> Cost:
    labels, probs = inputs.values
    rows, one = _label_rows(labels, probs.shape[1])
    own = probs.gather(1, rows) * one
    logs = torch.log_softmax(inputs.below, dim=1).gather(1, rows) * one if inputs.below is not None else own.log()
    value = -own.double().log().sum()
    misses = (len(probs) - _share_of_places(probs, own, places) for places in (1, layer["topk"]))
    return Cost([value.item(), *misses], logs.sum())


def _crossent(layer: dict, inputs: CostInputs) -> Cost:
    labels, probs = inputs.values
    largest = probs == probs.amax(dim=1, keepdim=True)
    hit = (largest & (labels > 0)).any(dim=1)
    correct = (hit.double() / largest.sum(dim=1).clamp(min=1)).sum()
    logs = torch.log_softmax(inputs.below, dim=1) if inputs.below is not None else _guarded(probs).log()
    value = -(labels.double() * _guarded(probs.double()).log()).sum()
    return Cost([value.item(), len(probs) - correct.item()], (labels * logs).sum())


def _crossent2(layer: dict, inputs: CostInputs) -> Cost:
    labels, y = inputs.values

    def likelihood(t: Tensor, y: Tensor) -> Tensor:
        return (t * _guarded(y).log() + (1 - t) * _guarded(1 - y).log()).sum()

    if inputs.below is not None:
        objective = -F.binary_cross_entropy_with_logits(inputs.below, labels, reduction="sum")
    else:
        objective = likelihood(labels, y)
    return Cost([-likelihood(labels.double(), y.double()).item()], objective)


def _rflickr(layer: dict, inputs: CostInputs) -> Cost:
    labels, y = inputs.values
    value = torch.log1p((y.double() - labels.double()).square()).sum()
    return Cost([value.item()], -torch.log1p((y - labels).square()).sum())


def _sum2(layer: dict, inputs: CostInputs) -> Cost:
    [x] = inputs.values
    return Cost([x.double().square().sum().item()], -x.square().sum())


def _gsum2(layer: dict, inputs: CostInputs) -> Cost:
    gate, x = inputs.values
    return Cost([(gate.double() * x.double().square()).sum().item()], -(gate * x.square()).sum())


def _log_set_sums(energies: Tensor, size: int) -> Tensor:
    """(cases,): the log of the sum over all sets of ``size`` classes of exp(their energies' sum)."""
    # Column k: sets of k among the classes so far. Minus infinity would make NaN of autograd's gradient.
    impossible = -1e30
    sums = energies.new_full((len(energies), size + 1), impossible)
    sums[:, 0] = 0
    for energy in energies.unbind(1):
        taken = F.pad(sums[:, :-1] + energy[:, None], (1, 0), value=impossible)
        sums = torch.logaddexp(sums, taken)
    return sums[:, size]


def _msm(layer: dict, inputs: CostInputs) -> Cost:
    labels, x = inputs.values
    size = layer["setSize"]
    rows, one = _label_rows(labels, x.shape[1])
    energies = x.double() - x.detach().double().amax(dim=1, keepdim=True)
    # Sets with the label: the label and size - 1 of the others.
    others = energies.masked_fill(F.one_hot(rows[:, 0], x.shape[1]).bool(), -1e30)
    with_label = energies.gather(1, rows)[:, 0] + _log_set_sums(others, size - 1)
    logs = (with_label - _log_set_sums(energies, size)) * one[:, 0]
    own = x.gather(1, rows) * one
    misses = (len(x) - _share_of_places(x, own, places) for places in (1, size))
    return Cost([-logs.sum().item(), *misses], logs.sum())


def _tica(layer: dict, inputs: CostInputs) -> Cost:
    images = as_images(inputs.values[0], layer["channels"])
    windows = window_matrix(images.shape[-1], layer["sizeX"])
    with torch.no_grad():
        exact = 1 / (0.001 + along_both_axes(images.double().square(), windows.double()).clamp(min=0).sqrt())
        sums = along_both_axes(exact.float(), windows)
    # The historic gradient, -x times the sums, is not that of the reported value.
    return Cost([exact.sum().item()], -(images.square() * sums).sum() / 2)


COSTS: dict[str, Callable[[dict, CostInputs], Cost]] = {
    "cost.logreg": _logreg,
    "cost.crossent": _crossent,
    "cost.crossent2": _crossent2,
    "cost.rflickr": _rflickr,
    "cost.sum2": _sum2,
    "cost.gsum2": _gsum2,
    "cost.msm": _msm,
    "cost.tica": _tica,
}
