"""The option objects of historic checkpoints: read into this program's options, and made from these (spec 4.1, 4.3).

The specification names the class and the options; how the object keeps them is the layout of the public release of
2011: a mapping ``options`` of objects with ``letter`` (the name on the command line), ``name`` (the program's own),
``value`` and the rest of ``_Option``.
"""

from __future__ import annotations

import os
from typing import Any

from convnet_py.data.safe_pickle import OptionsClass, OptionsStandIn
from convnet_py.errors import UsageError
from convnet_py.options import BOOLEAN, DECLARATIONS, DEVICES, PATH, RANGE, WORDS, Declaration, Kind, convert

#: What the historic program calls an option, where that is not its command-line name with underscores.
_NAMES = {
    "data-provider": "dp_type",
    "train-range": "train_batch_range",
    "test-range": "test_batch_range",
    "epochs": "num_epochs",
    "test-freq": "testing_freq",
    "mini": "minibatch_size",
    "max-filesize": "max_filesize_mb",
}
_BY_NAME = {name: option for option, name in _NAMES.items()}
#: The options that the historic program does not have.
_OURS = {
    "seed", "threads", "device", "math", "engine", "dialect", "allow-init-functions", "dummy-cases", "dummy-classes",
    "transfers", "exact-gradients", "checkpoint-format",
}  # fmt: skip


def options_of(op: Any) -> dict[str, str]:
    """Option -> text, of those that this program has, too, and whose values it takes."""
    found = op.attributes.get("options") if isinstance(op, OptionsStandIn) else None
    texts: dict[str, str] = {}
    for key, entry in found.items() if isinstance(found, dict) else ():
        if not isinstance(entry, OptionsStandIn):
            continue
        name = _option_name(entry.attributes.get("letter"), entry.attributes.get("name"), key)
        if name is None or not DECLARATIONS[name].stored:
            continue
        text = _text(entry.attributes.get("value"), DECLARATIONS[name].kind)
        if text is not None and _is_taken(name, text):
            texts[name] = text
    return texts


def _option_name(*candidates: Any) -> str | None:
    for candidate in candidates:
        if isinstance(candidate, str):
            for name in (candidate, _BY_NAME.get(candidate, ""), candidate.replace("_", "-")):
                if name in DECLARATIONS and name not in _OURS:
                    return name
    return None


def _text(value: Any, kind: Kind) -> str | None:
    """A historic value as it is given on a command line; None where there is none."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (list, tuple)):
        if kind is RANGE and value and list(value) == list(range(value[0], value[0] + len(value))):
            return f"{value[0]}-{value[-1]}"
        items = [_text(item, kind) for item in value]
        if not items or any(item is None for item in items):
            return None
        return ",".join(items)
    if isinstance(value, (int, float)):
        return repr(value)
    if not isinstance(value, str) or not value:
        return None
    return os.fsdecode(value.encode("latin-1", "replace")) if kind is PATH else value


def _is_taken(name: str, text: str) -> bool:
    try:
        convert(name, text, DECLARATIONS[name].kind)
    except UsageError:
        return False
    return True


def options_object(texts: dict[str, str]) -> OptionsStandIn:
    """The option object of a run with these options: those that the historic program knows."""
    options = {}
    for option, text in texts.items():
        if option in DECLARATIONS and option not in _OURS:
            entry = _option_object(option, DECLARATIONS[option], text)
            options[entry.attributes["name"]] = entry
    return OptionsStandIn(OptionsClass("options", "OptionsParser"), {"options": options})


def _option_object(option: str, declaration: Declaration, text: str) -> OptionsStandIn:
    value = convert(option, text, declaration.kind)
    parser = "StringOptionParser"
    if declaration.kind is RANGE:
        parser, value = "RangeOptionParser", list(value)
    elif declaration.kind in (DEVICES, WORDS):
        parser, value = "ListOptionParser", list(value)
    elif declaration.kind is BOOLEAN:
        parser = "BooleanOptionParser"
    elif isinstance(value, float) and not value.is_integer():
        parser = "FloatOptionParser"
    elif isinstance(value, (int, float)):
        parser, value = "IntegerOptionParser", int(value)
    else:
        # As the bytes that the system has for it.
        value = os.fsencode(str(value)).decode("latin-1")
    attributes = {
        "letter": option,
        "name": _NAMES.get(option, option.replace("-", "_")),
        "desc": declaration.help,
        "parser": OptionsClass("options", parser),
        "set_once": declaration.once,
        "default": None,
        "excuses": [],
        "requires": [],
        "save": True,
        "value": value,
        "value_given": True,
        "prefixed_letter": "-" * min(2, len(option)) + option,
    }
    return OptionsStandIn(OptionsClass("options", "Option"), attributes)
