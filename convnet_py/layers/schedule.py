"""Learning-rate schedules: ``default``, ``linear[tgtFactor=F,noiseStdev=F]`` and so on (spec 2.5)."""

from __future__ import annotations

import re
from collections.abc import Callable

from convnet_py.layers.keys import NotUnderstood

_TARGET = ("tgtFactor", "noiseStdev")
_STEPS = ("tgtFactor", "noiseStdev", "numSteps")
SCHEDULES: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": _TARGET,
    "exp": _TARGET,
    "dexp": _STEPS,
    "jdexp": _STEPS,
}

_SYNTAX = re.compile(r"\s*(\w+)\s*(?:\[(.*)\])?\s*", re.DOTALL)


def parse_schedule(text: str, warn: Callable[[str], None]) -> dict:
    """``{"type": name, "params": {...}}`` with float tgtFactor and noiseStdev and int numSteps, as far as it has them.

    Bare values are taken in order, with a warning. Raises NotUnderstood.
    """
    match = _SYNTAX.fullmatch(text)
    name = match[1].lower() if match else ""
    if name not in SCHEDULES:
        raise NotUnderstood(f"a schedule: {', '.join(map(_usage, SCHEDULES))}")
    keys = SCHEDULES[name]
    items = [item.strip() for item in match[2].split(",")] if match[2] else []
    if len(items) != len(keys):
        raise NotUnderstood(_usage(name))
    params = {key: _parameter(key, item, name) for key, item in zip(keys, items, strict=True)}
    if keys and all("=" not in item for item in items):
        warn(f"{text!r} taken for {name}[{','.join(f'{key}={value:g}' for key, value in params.items())}]")
    elif not all("=" in item for item in items):
        raise NotUnderstood(_usage(name))
    return {"type": name, "params": params}


def _usage(name: str) -> str:
    kinds = {key: "INT" if key == "numSteps" else "FLOAT" for key in SCHEDULES[name]}
    return name + (f"[{','.join(f'{key}={kind}' for key, kind in kinds.items())}]" if kinds else "")


def _parameter(key: str, item: str, name: str) -> float | int:
    given, equals, number = item.rpartition("=")
    if equals and given.strip().lower() != key.lower():
        raise NotUnderstood(_usage(name))
    try:
        value = int(number) if key == "numSteps" else float(number)
    except ValueError:
        raise NotUnderstood(_usage(name)) from None
    if key == "tgtFactor" and not 0 < value < float("inf"):
        raise NotUnderstood(f"{_usage(name)} with tgtFactor above 0")
    if key == "noiseStdev" and not 0 <= value < float("inf"):
        raise NotUnderstood(f"{_usage(name)} with noiseStdev of at least 0")
    if key == "numSteps" and not 1 <= value < 2**31:
        raise NotUnderstood(f"{_usage(name)} with numSteps of at least 1")
    return value
