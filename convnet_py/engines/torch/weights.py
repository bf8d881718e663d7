"""Weight matrices in the torch engine: who uses them, and how they are updated (spec 3.8)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from convnet_py.engines.torch.base import Tensor
from convnet_py.engines.torch.philox import Key, normal


@dataclass(frozen=True)
class UpdateTime:
    """Where in the run an update happens. ``cases``: the n of spec 3.8. ``minibatch``: training minibatches so far."""

    progress: float
    minibatch: int
    cases: int


@dataclass(frozen=True)
class Rule:
    """How a matrix learns. ``leaves``: for treefc, the leaves under the node of each column."""

    momentum: float
    decay: float = 0.0
    super_eps: float = 0.0
    column_norm: float = 0.0
    zero_mean_min: float = 0.0
    zero_mean_max: float = 0.0
    modules: int = 1
    sums_gradients: bool = True
    leaves: Tensor | None = None


def schedule_rate(base: float, schedule: dict, progress: float) -> float:
    """The rate of a schedule (``{"type", "params"}``) at ``progress`` 0..1, without its noise."""
    # 2012 keeps these in float, and that decides on which side of a step a boundary falls.
    base, progress = float(np.float32(base)), float(np.float32(progress))
    if schedule["type"] == "default":
        return base
    target = base / float(np.float32(schedule["params"]["tgtFactor"]))
    if schedule["type"] == "linear":
        return base * (1 - progress) + target * progress
    if schedule["type"] == "exp":
        return _exponential(base, target, progress)
    steps = schedule["params"]["numSteps"]
    # A boundary belongs to the step before it.
    step = min(max(math.ceil(progress * steps) - 1, 0), steps - 1)
    rate = _step_rate(base, target, step, steps)
    in_second_half = progress * steps - step > 0.5
    if schedule["type"] == "jdexp" and step > 0 and in_second_half and 0.2 < progress < 0.9:
        return math.sqrt(rate * _step_rate(base, target, step - 1, steps))
    return rate


def _exponential(base: float, target: float, progress: float) -> float:
    if base in (0, 1):
        return base
    exponent = math.log(target) / math.log(base) - 1
    return base ** (1 + progress * exponent)


def _step_rate(base: float, target: float, step: int, steps: int) -> float:
    return target if step == steps - 1 else _exponential(base, target, step / (steps - 1))


@dataclass
class User:
    """A layer's use of a matrix: for its input ``input``, or None for biases, with its rate and its schedule."""

    layer: str
    input: int | None
    rate: float
    schedule: dict
    #: shares the matrix' memory, but has a gradient of its own.
    tensor: Tensor = field(default_factory=lambda: torch.empty(0))


@dataclass
class Weights:
    """One matrix of weights or biases. Its first user owns it; a base rate of the owner of 0 stops all learning."""

    values: Tensor
    increments: Tensor
    rule: Rule
    noise_seed: int
    noise_layer: int
    users: list[User] = field(default_factory=list)
    #: running means of the gradient and of its square, for superEps.
    means: tuple[Tensor, Tensor] | None = None

    def __post_init__(self) -> None:
        if self.rule.super_eps > 0:
            self.means = torch.zeros_like(self.values), torch.zeros_like(self.values)

    @property
    def name(self) -> str:
        """``weights/LAYER/INPUT`` or ``biases/LAYER``, by its owner."""
        owner = self.users[0]
        return f"biases/{owner.layer}" if owner.input is None else f"weights/{owner.layer}/{owner.input}"

    @property
    def learns(self) -> bool:
        """Whether it is updated at all."""
        return self.users[0].rate > 0

    def add_user(self, user: User) -> Tensor:
        """Register a user, the owner first, and return the tensor that it computes with."""
        self.users.append(user)
        user.tensor = self.values.detach().requires_grad_(self.learns)
        return user.tensor

    def gradient(self) -> Tensor:
        """The gradient since the last update, summed over cases and users."""
        given = (user.tensor.grad for user in self.users if user.tensor.grad is not None)
        return sum(given, torch.zeros_like(self.values))

    def _rate(self, user: int, time: UpdateTime, use: int) -> float:
        """The rate now, with its noise. ``use``: 0 for the gradient, 1 for the decay, which draw separately."""
        rate = schedule_rate(self.users[user].rate, self.users[user].schedule, time.progress)
        noise = self.users[user].schedule["params"].get("noiseStdev", 0)
        if noise <= 0:
            return rate
        element = 2 * user + use
        drawn = normal(Key(self.noise_seed, self.noise_layer, time.minibatch), element + 1)[element]
        return rate * (1 + abs(float(drawn)) * noise)

    def _step(self, time: UpdateTime) -> Tensor:
        """What momentum and decay are added to."""
        if not self.rule.sums_gradients:
            shares = (
                user.tensor.grad * (self._rate(i, time, 0) / time.cases)
                for i, user in enumerate(self.users)
                if user.tensor.grad is not None and user.rate > 0
            )
            return sum(shares, torch.zeros_like(self.values))
        if self.means is None:
            return self.gradient() * (self._rate(0, time, 0) / time.cases)
        gradient = self.gradient() / time.cases
        for mean, value in zip(self.means, (gradient, gradient.square()), strict=True):
            mean.mul_(self.rule.momentum).add_((1 - self.rule.momentum) * value)
        # The mean is not squared: the 2012 program's.
        return self._rate(0, time, 0) * gradient / (self.means[1] - self.means[0] + self.rule.super_eps).sqrt()

    @torch.no_grad()
    def update(self, time: UpdateTime) -> None:
        """One update with the gradients since the last one."""
        if not self.learns:
            return
        rule = self.rule
        if rule.leaves is None:
            step = self._step(time)
            if rule.decay > 0:
                step = step - rule.decay * self._rate(0, time, 1) * self.values
        else:
            step = self._tree_step(time)
        self.increments.mul_(0.9 if self.means else rule.momentum).add_(step)
        self.values.add_(self.increments)
        self._bound_norms()
        for user in self.users:
            user.tensor.grad = None

    def _tree_step(self, time: UpdateTime) -> Tensor:
        """treefc's: the rate is constant, and divided by the leaves under a node as the decay is once more."""
        assert self.rule.leaves is not None
        gradient = self.gradient() / time.cases
        decay = max(self.rule.decay, 0.0) / self.rule.leaves
        return self.users[0].rate / self.rule.leaves * (gradient - decay * self.values)

    def _bound_norms(self) -> None:
        rule, rows = self.rule, self.values.shape[0]
        if rule.zero_mean_max > 0:
            zero_mean = self.values.double() - self.values.double().mean(dim=0)
            sizes = zero_mean.square().sum(dim=0).sqrt() / rows
            bounded = sizes.clamp(rule.zero_mean_min, rule.zero_mean_max)
            self.values.mul_(torch.where(sizes > 0, bounded / sizes, 1).float())
        if rule.column_norm > 0:
            columns = self.values.view(rule.modules, rows // rule.modules, -1)
            norms = columns.double().square().sum(dim=1, keepdim=True).sqrt()
            columns.mul_(torch.where(norms > rule.column_norm, rule.column_norm / norms, 1).float())

    # State

    def pending(self) -> dict[str, Tensor]:
        """The means of superEps, and the gradients of users since the last update, by name."""
        state = {f"user{i}": user.tensor.grad for i, user in enumerate(self.users) if user.tensor.grad is not None}
        return {**state, **dict(zip(("mean", "meanSquare"), self.means or (), strict=False))}

    def restore_pending(self, saved: dict[str, Tensor]) -> None:
        """Take over a ``pending()``."""
        for i, user in enumerate(self.users):
            user.tensor.grad = saved.get(f"user{i}")
        if self.means is not None and {"mean", "meanSquare"} <= saved.keys():
            self.means = saved["mean"], saved["meanSquare"]
