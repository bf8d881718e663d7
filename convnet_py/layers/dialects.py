"""The dialects of the layer language, and the way from 2011's and 2014's to the common form of 2012 (spec 2.7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from convnet_py.errors import LayerFileError, Problem, UsageError
from convnet_py.layers.ini import IniFile, Value, problem_at
from convnet_py.layers.schedule import SCHEDULES


@dataclass(frozen=True)
class Dialect:
    """How a pair of layer files is to be understood, once it has the common form.

    ``tiling``: sizes must suit the tiles of the 2012 kernels. ``default_gpu``: layers without ``gpu`` follow
    their first input that has one, else they are on device 0. ``wball_per_weight``: wball is a norm per weight.
    ``params_in_definition``: types whose parameters may stand in the definition, so that on resume, which does not
    read it, layers without a section keep what they have.
    """

    name: str
    tiling: bool = True
    default_gpu: bool = False
    wball_per_weight: bool = True
    params_in_definition: tuple[str, ...] = ()


_NORM_TYPES = ("rnorm", "cnorm", "cmrnorm")

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect("2012"),
        Dialect("relaxed", tiling=False),
        Dialect("2011", default_gpu=True, params_in_definition=_NORM_TYPES),
        Dialect("2014", tiling=False, default_gpu=True, wball_per_weight=False),
    )
}

_WEIGHT_TYPES = ("conv", "local", "fc")
#: types of 2014: with the same meaning under another name, and without a counterpart.
RENAMED_2014 = {
    "dropout": "hs",
    "dropout2": "hs",
    "pass": "concat",
    "cost.ce": "cost.crossent",
    "cost.bce": "cost.crossent2",
}
_ABSENT_IN_COMMON = ("sum", "crop", "cmpool", "sfc", "cost.dce")
#: keys of 2014 that hold one item per input, of which a single one stands for all.
_LISTS_2014 = {
    "definition": ("channels", "filters", "filtersize", "padding", "stride", "groups", "initw", "weightsource"),
    "params": ("epsw", "momw", "wc", "wball", "wcnormmax", "wcnormmin"),
}
_RATE_2014 = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)


def to_common(
    definition: IniFile,
    params: IniFile | None,
    name: str,
    problems: list[Problem],
    warn: Callable[[str], None],
) -> tuple[IniFile, IniFile | None, Dialect]:
    """Both files in the common form, and their dialect: ``name``, or as their words tell where that is "auto".

    params: None where it cannot be read. Mistakes are noted in ``problems``. Raises LayerFileError with these where
    something has no counterpart, as no more can be said then.
    """
    dialect = _dialect(name, lambda: _spoken(definition, params))
    if name == "auto" and dialect.name != "2012":
        warn(f"{definition.path}: read as a layer file of {dialect.name}")
    convert = {"2011": _Conversion2011, "2014": _Conversion2014}.get(dialect.name)
    if convert is None:
        return definition, params, dialect
    conversion = convert(definition.resolved(), params and params.resolved(), problems)
    conversion.run()
    if conversion.refused:
        raise LayerFileError(problems)
    return conversion.definition, conversion.params, dialect


def params_to_common(
    params: IniFile, layers: Mapping[str, dict], name: str, problems: list[Problem]
) -> tuple[IniFile, Dialect]:
    """A parameter file in the common form, for the layers of a net that exists."""
    dialect = _dialect(name, lambda: _spoken_by_params(params, layers))
    if dialect.name != "2014":
        return params, dialect
    params = params.resolved()
    conversion = _Conversion2014(params, params, problems)
    for name, layer in layers.items():
        if name in params or layer["type"] == "hs":
            conversion.convert_params(name, layer["type"], conversion.params_section(name), len(layer["inputs"]))
    if conversion.refused:
        raise LayerFileError(problems)
    return params, dialect


def _dialect(name: str, spoken: Callable[[], str]) -> Dialect:
    if name != "auto" and name not in DIALECTS:
        raise UsageError(f"dialect: must be auto or one of {', '.join(DIALECTS)}, not {name!r}")
    return DIALECTS[spoken() if name == "auto" else name]


def _spoken(definition: IniFile, params: IniFile | None) -> str:
    """The dialect that the words of the files tell."""
    values = {
        name: {key: definition.raw(name, key).text for key in definition.keys(name)} for name in definition.sections
    }
    if any(_words_2014(keys) for keys in values.values()) or (params is not None and any(_rates_2014(params))):
        return "2014"
    weight_layers = [keys for keys in values.values() if keys.get("type") in _WEIGHT_TYPES]
    # 2012 has no net without gpu. 2011 requires a neuron: with some missing, a forgotten gpu is likelier.
    no_gpu = not any("gpu" in keys for keys in values.values())
    if weight_layers and no_gpu and all("neuron" in keys for keys in weight_layers):
        return "2011"
    return "2012"


def _spoken_by_params(params: IniFile, layers: Mapping[str, dict]) -> str:
    if any(_rates_2014(params)):
        return "2014"
    # Without them no net of 2012 could have been started.
    norms = [name for name, layer in layers.items() if layer["type"] in _NORM_TYPES]
    return "2011" if norms and not any(name in params for name in norms) else "2012"


def _words_2014(keys: Mapping[str, str]) -> bool:
    return (
        keys.get("type") in (*RENAMED_2014, *_ABSENT_IN_COMMON)
        or "sumwidth" in keys
        or "children" in keys
        or "," in keys.get("gpu", "")
        or keys.get("neuron", "").startswith("log[")
    )


def _rates_2014(params: IniFile) -> Iterator[str]:
    for section in params.sections:
        for key in ("epsw", "epsb"):
            value = params.raw(section, key)
            if value is not None and re.search(r"\[\s*base\s*=", value.text):
                yield section


class _Conversion:
    """One conversion of two files, in place; they are copies without interpolation or defaults."""

    def __init__(self, definition: IniFile, params: IniFile | None, problems: list[Problem]):
        self.definition = definition
        self.params = params
        self.problems = problems
        self.refused = False

    def run(self) -> None:
        """Convert every layer."""
        for name, keys in self.definition.sections.items():
            kind = keys["type"].text if "type" in keys else ""
            params = self.params.sections.get(name) if self.params is not None else None
            self.convert(name, kind, keys, params)

    def convert(self, name: str, kind: str, keys: dict[str, Value], params: dict[str, Value] | None) -> None:
        """Convert one layer. params: None where the parameter file has no section for it."""
        raise NotImplementedError

    def problem(self, ini: IniFile, name: str, message: str, value: Value | None = None) -> None:
        """Note a mistake."""
        line = value.line if value is not None else ini.lines.get(name)
        self.problems.append(problem_at(ini.path, line, f"Layer '{name}': {message}"))

    def refuse(self, ini: IniFile, name: str, what: str, value: Value) -> None:
        """Note what has no counterpart in the common form."""
        self.refused = True
        self.problem(ini, name, f"{what} has no counterpart in 2012", value)

    def params_section(self, name: str) -> dict[str, Value] | None:
        """The layer's section of the parameter file, made where it lacks."""
        if self.params is None:
            return None
        return self.params.sections.setdefault(name, {})


class _Conversion2011(_Conversion):
    def convert(self, name: str, kind: str, keys: dict[str, Value], params: dict[str, Value] | None) -> None:
        if kind in _WEIGHT_TYPES and "neuron" not in keys:
            self.problem(self.definition, name, "required parameter 'neuron' missing (2011)")
        if kind in _WEIGHT_TYPES and params is not None and "wc" not in params:
            self.problem(self.params, name, "required parameter 'wc' missing (2011)")
        if kind == "pool" and "pool" in keys and keys["pool"].text not in ("max", "avg"):
            found = keys["pool"]
            self.problem(self.definition, name, f"parameter 'pool' must be one of max, avg, not {found.text!r}", found)
        if kind in _NORM_TYPES:
            if "size" not in keys and "sizex" in keys:
                keys["size"] = keys.pop("sizex")
            for key in ("scale", "pow"):
                if key in keys and self.params is not None:
                    self.params_section(name).setdefault(key, keys.pop(key))


class _Conversion2014(_Conversion):
    def convert(self, name: str, kind: str, keys: dict[str, Value], params: dict[str, Value] | None) -> None:
        self._refuse(name, kind, keys)
        if kind in RENAMED_2014:
            keys["type"] = Value(RENAMED_2014[kind], keys["type"].line)
        inputs = keys["inputs"].text.count(",") + 1 if "inputs" in keys else 1
        if kind in _WEIGHT_TYPES:
            _expand(keys, _LISTS_2014["definition"], inputs)
        if kind == "conv":
            # The sum over modules does not depend on how it is cut (spec 3.1).
            keys["partialsum"] = Value("0", keys.pop("sumwidth", keys["type"]).line)
        if kind in ("dropout", "dropout2"):
            params = self.params_section(name)
            self._convert_dropout(keys, params)
        if kind == "eltsum" and params is not None and "coeffs" in params:
            keys["coeffs"] = params.pop("coeffs")
            _expand(keys, ["coeffs"], inputs)
        if params is not None:
            self.convert_params(name, kind, params, inputs)

    def convert_params(self, name: str, kind: str, params: dict[str, Value], inputs: int) -> None:
        """Convert a section of the parameter file, of a layer of that type with so many inputs."""
        if kind in _WEIGHT_TYPES:
            _expand(params, _LISTS_2014["params"], inputs)
            for rate, schedule in (("epsW", "schedW"), ("epsB", "schedB")):
                if rate.lower() in params:
                    self._split_rates(name, params, rate, schedule)
        if kind in ("hs", "dropout", "dropout2"):
            params.setdefault("enable", Value("true", 1))
        if "updateperiod" in params and params["updateperiod"].text not in ("0", "1"):
            self.refuse(self.params, name, "2014's updatePeriod", params["updateperiod"])
        params.pop("updateperiod", None)
        if kind in ("rnorm", "cnorm") and "mindiv" in params:
            if not _is_one(params["mindiv"].text):
                self.problem(self.params, name, f"minDiv of {kind} layers is always 1 in 2012", params["mindiv"])
            params.pop("mindiv")

    def _refuse(self, name: str, kind: str, keys: dict[str, Value]) -> None:
        """Note what 2014 has and 2012 has not."""
        absent = []
        if kind in _ABSENT_IN_COMMON:
            absent.append(("type", f"type '{kind}'"))
        if "," in keys.get("gpu", Value("", 0)).text:
            absent.append(("gpu", "several devices for one layer (data-parallel replicas)"))
        if keys.get("neuron", Value("", 0)).text.startswith("log["):
            absent.append(("neuron", "neuron 'log'"))
        if "children" in keys:
            absent.append(("children", "children of costs"))
        if kind == "cost.bce" and "posweight" in keys and not _is_one(keys["posweight"].text):
            absent.append(("posweight", "a posWeight other than 1"))
        if kind == "data":
            absent += [(key, f"'{key}' of data layers") for key in ("start", "end") if key in keys]
        for key, what in absent:
            self.refuse(self.definition, name, f"2014's {what}", keys[key])
        keys.pop("posweight", None)

    def _convert_dropout(self, keys: dict[str, Value], params: dict[str, Value] | None) -> None:
        """keep may stand in either file, and has a default."""
        here = keys["type"].line
        keep = params.pop("keep", None) if params is not None else None
        keys["keep"] = keep or keys.get("keep") or Value("0.5", here)

    def _split_rates(self, name: str, params: dict[str, Value], rate: str, schedule: str) -> None:
        """Split rates that hold their schedules into base rates and the one schedule that they must agree in."""
        value = params[rate.lower()]
        bases, schedules = [], set()
        for item in value.text.split(","):
            try:
                base, text = _split_rate(item.strip())
            except ValueError as error:
                self.problem(self.params, name, f"parameter '{rate}' {error}", value)
                self.refused = True
                return
            bases.append(base)
            schedules.add(text)
        if len(schedules) > 1:
            self.refuse(self.params, name, f"2014's '{rate}' with several schedules for one layer", value)
        params[rate.lower()] = Value(",".join(bases), value.line)
        params[schedule.lower()] = Value(sorted(schedules)[0], value.line)


def _split_rate(text: str) -> tuple[str, str]:
    """Base rate and 2012 schedule of ``dexp[base=0.01;tgtFactor=250;numSteps=4]`` or a plain number."""
    match = _RATE_2014.fullmatch(text)
    if match is None:
        return text, "default"
    name = match[1].lower()
    params = dict(item.split("=", 1) for item in match[2].split(";") if "=" in item)
    params = {key.strip().lower(): item.strip() for key, item in params.items()}
    wanted = [] if name == "const" else [key for key in SCHEDULES.get(name, ()) if key != "noiseStdev"]
    if (name != "const" and not wanted) or name == "jdexp" or set(params) != {"base", *map(str.lower, wanted)}:
        usage = "const[base=F], linear[base=F;tgtFactor=F], exp[...same] or dexp[base=F;tgtFactor=F;numSteps=I]"
        raise ValueError(f"must be a number or {usage}, not '{text}'")
    if name == "const":
        return params["base"], "default"
    items = [f"{key}={params.get(key.lower(), '0')}" for key in SCHEDULES[name]]
    return params["base"], f"{name}[{','.join(items)}]"


def _expand(keys: dict[str, Value], names: Sequence[str], inputs: int) -> None:
    for name in names:
        if name in keys and "," not in keys[name].text:
            keys[name] = Value(",".join([keys[name].text] * inputs), keys[name].line)


def _is_one(text: str) -> bool:
    try:
        return float(text) == 1
    except ValueError:
        return False
