"""Reads a definition and a parameter file into layer dictionaries, all mistakes at once (spec 2)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from convnet_py.errors import CheckpointError, LayerFileError, Problem, one_line
from convnet_py.layers.base import LayerType, Net, find_type, read_quantization, type_names, type_of
from convnet_py.layers.dialects import params_to_common, to_common
from convnet_py.layers.ini import IniFile, problem_at, read_ini
from convnet_py.layers.keys import LARGEST_INT, Keys, count
from convnet_py.layers.neuron import detach, parse_neuron

Warn = Callable[[str], None]


def warn_on_stderr(line: str) -> None:
    """Where warnings go unless the caller takes them."""
    print(f"warning: {line}", file=sys.stderr)


def read_net(
    layer_def: Path,
    layer_params: Path,
    *,
    data_dims: Sequence[int] | Callable[[int], int],
    num_gpus: int = 1,
    batch_meta: Mapping | None = None,
    num_classes: int | None = None,
    rng: np.random.RandomState,
    dialect: str = "auto",
    allow_init_functions: bool = False,
    conserve_mem: bool = False,
    warn: Warn = warn_on_stderr,
) -> dict[str, dict]:
    """Layer name -> layer dictionary (spec 2.9, with ``inputLayers``) in definition order, neurons detached.

    data_dims: values per case of each of the provider's matrices, by index. num_gpus: logical devices.
    batch_meta: the data's metadata, for treefc. num_classes: classes of the data; None where that is unknown.
    rng: draws the initial weights, as spec 2.4 fixes. dialect: "auto", "2012", "relaxed", "2011" or "2014".
    Raises LayerFileError with every independent mistake of both files.
    """
    warn = _in_one_line(warn)
    problems: list[Problem] = []
    definition, params = (_read_file(Path(path), problems) for path in (layer_def, layer_params))
    if definition is None:
        raise LayerFileError(problems)
    definition, params, spoken = to_common(definition, params, dialect, problems, warn)
    net = Net(
        definition=definition,
        data_dims=data_dims if callable(data_dims) else data_dims.__getitem__,
        num_gpus=num_gpus,
        num_classes=num_classes,
        batch_meta=batch_meta or {},
        rng=rng,
        dialect=spoken,
        allow_init_functions=allow_init_functions,
        warn=warn,
    )
    reader = _Reader(net, params, problems, conserve_mem)
    reader.read()
    _raise_sorted(problems, [layer_def, layer_params])
    reader.initialise()
    reader.warn_of_unknown_keys()
    return net.layers


def reread_params(
    layers: Mapping[str, dict],
    layer_params: Path,
    *,
    conserve_mem: bool,
    warn: Warn = warn_on_stderr,
    dialect: str = "auto",
) -> None:
    """Read the parameter file again into the dictionaries of a net that is resumed (spec 2.5).

    All of them change, or none: raises LayerFileError with every mistake of the file, CheckpointError for layers
    that are not what this program (or an importer of historic checkpoints) makes.
    """
    warn = _in_one_line(warn)
    problems: list[Problem] = []
    params = _read_file(Path(layer_params), problems)
    if params is None:
        raise LayerFileError(problems)
    params, spoken = params_to_common(params, layers, dialect, problems)
    changed, all_keys = {}, []
    for name, layer in layers.items():
        changed[name] = dict(layer, conserveMem=conserve_mem)
        if name not in params and layer["type"] in spoken.params_in_definition:
            continue
        section = layer.get("src_layer") if name not in params and layer.get("src_layer") else name
        keys = Keys(params, section, changed[name], problems, inputs=len(layer.get("inputs", ())), warn=warn)
        all_keys.append(keys)
        family = type_of(layer)
        try:
            _read_params(family, keys)
            if not keys.failed:
                family.apply_params(changed[name], keys, spoken)
        except KeyError as missing:
            raise CheckpointError(f"Layer '{name}': the saved layer lacks {missing}") from None
    _raise_sorted(problems, [layer_params])
    for name, layer in layers.items():
        layer.update(changed[name])
    _warn_of_unknown_keys(params, all_keys, warn)


def _in_one_line(warn: Warn) -> Warn:
    return lambda line: warn(one_line(line))


def _read_file(path: Path, problems: list[Problem]) -> IniFile | None:
    try:
        return read_ini(path)
    except LayerFileError as error:
        problems += error.problems
        return None


def _raise_sorted(problems: list[Problem], files: list[Path]) -> None:
    if problems:
        order = [Path(file) for file in files]
        unique = dict.fromkeys(problems)
        raise LayerFileError(sorted(unique, key=lambda problem: (order.index(problem.file), problem.line or 0)))


def _read_params(family: LayerType, keys: Keys) -> None:
    """Read a layer's section of the parameter file; one problem, and nothing read, where a required one lacks."""
    keys.layer["requiresParams"] = family.requires_params(keys.layer)
    if keys.layer["requiresParams"] and keys.section not in keys.ini:
        keys.problem(f"parameters required, but there is no section [{keys.section}]")
        return
    read_quantization(keys.layer, keys)
    family.read_params(keys.layer, keys)


def _warn_of_unknown_keys(ini: IniFile, all_keys: Iterable[Keys], warn: Warn) -> None:
    """One warning per file for keys that no layer asked for; sections that no layer has are not looked at."""
    all_keys = [keys for keys in all_keys if keys.section in ini]
    # By line, as a line of [DEFAULT] may be for some of the sections only.
    known = {ini.raw(keys.section, key).line for keys in all_keys for key in keys.known & {*ini.keys(keys.section)}}
    unknown = {}
    for section in dict.fromkeys(keys.section for keys in all_keys):
        for key in ini.keys(section):
            line = ini.raw(section, key).line
            if line not in known:
                unknown[f"[{section}] {key}" if key in ini.sections[section] else f"[DEFAULT] {key}"] = line
    if unknown:
        listed = ", ".join(f"{key} (line {line})" for key, line in unknown.items())
        warn(f"{ini.path}: unknown keys ignored: {listed}")


class _Reader:
    """One reading of a net. ``params`` is None where the parameter file cannot be read at all."""

    def __init__(self, net: Net, params: IniFile | None, problems: list[Problem], conserve_mem: bool):
        self.net = net
        self.params = params
        self.problems = problems
        self.conserve_mem = conserve_mem
        #: section -> its layer type and its keys, of layers whose type is known.
        self.sections: dict[str, tuple[LayerType, Keys]] = {}
        #: section -> the layer that gives its output: itself or its detached neuron.
        self.outputs: dict[str, dict] = {}
        self.param_keys: list[Keys] = []
        self.used: set[str] = set()
        self.inputs_unclear = False

    def read(self) -> None:
        """Read all layers, as far as mistakes allow; they are noted in ``problems``."""
        if not self.net.definition.sections:
            self.problems.append(problem_at(self.net.definition.path, None, "defines no layers"))
        for name in self.net.definition.sections:
            if not self._read_layer(name):
                self.net.broken.add(name)
        if not self.inputs_unclear:
            self._check_all_used()

    def initialise(self) -> None:
        """Make all weights, in definition order."""
        for name, (family, keys) in self.sections.items():
            try:
                family.initialise(self.net.layers[name], keys, self.net)
            except (MemoryError, ValueError, OverflowError):  # NumPy's ways to say that an array is too large
                keys.problem("its weights are too large for the memory of this machine")
                raise LayerFileError(self.problems) from None

    def warn_of_unknown_keys(self) -> None:
        """One warning per file."""
        _warn_of_unknown_keys(self.net.definition, [keys for _, keys in self.sections.values()], self.net.warn)
        _warn_of_unknown_keys(self.params, self.param_keys, self.net.warn)

    def _read_layer(self, name: str) -> bool:
        """Read one layer; False where its output is unknown because of mistakes, here or below."""
        layer = {"name": name}
        keys = Keys(
            self.net.definition,
            name,
            layer,
            self.problems,
            warn=self.net.warn,
            allow_init_functions=self.net.allow_init_functions,
        )
        family = self._find_type(keys)
        inputs = self._read_inputs(keys, family)
        if family is None:
            return False
        self.sections[name] = (family, keys)
        neuron = self._read_common(family, keys, inputs)
        family.read_definition(layer, keys)
        sound = not keys.failed and inputs is not None and not any(name in self.net.broken for name in inputs)
        if sound:
            self._shape(family, keys, inputs)
            sound = not keys.failed
        params_sound = self._read_layer_params(family, layer, sound)
        if sound:
            self._add(layer, neuron, params_sound)
        return sound

    def _find_type(self, keys: Keys) -> LayerType | None:
        name = keys.text("type")
        family = find_type(name) if name is not None else None
        if name is None and not keys.failed:
            keys.problem("no type given")
        elif family is None and name is not None:
            keys.problem(f"unknown type '{name}'; the types are {', '.join(type_names())}", "type")
        keys.layer["type"] = name
        return family

    def _read_inputs(self, keys: Keys, family: LayerType | None) -> list[str] | None:
        """The names of the inputs; None, after noting why, where they are not what the layer needs."""
        if family is not None and family.max_inputs == 0:
            keys.inputs = 0
            return []
        text = keys.text("inputs")
        if text is None:
            self.inputs_unclear = True
            if family is not None and not keys.failed:
                keys.problem("required parameter 'inputs' missing")
            return None
        names = [name.strip() for name in text.split(",")]
        self.used.update(names)
        keys.inputs = len(names)
        wrong_number = family is not None and self._wrong_number(len(names), family)
        if wrong_number:
            keys.problem(wrong_number, "inputs")
            keys.inputs = None
        problems = [self._input_problem(keys, index, name) for index, name in enumerate(names)]
        return None if wrong_number or any(problems) else names

    def _wrong_number(self, number: int, family: LayerType) -> str | None:
        smallest, largest = family.min_inputs, family.max_inputs
        if number >= smallest and (largest is None or number <= largest):
            return None
        expected = f"at least {count(smallest, 'input')}" if largest is None else count(largest, "input")
        return f"takes {expected}, not {number}"

    def _input_problem(self, keys: Keys, index: int, name: str) -> bool:
        if name in self.net.broken:
            return False
        if name in self.sections and name in self.net.layers:
            if self.sections[name][0].has_output:
                return False
            keys.problem(f"input '{name}' is a cost, which has no output", "inputs", index)
            return True
        self.inputs_unclear = True
        where = " above it" if name in self.net.definition else ""
        keys.problem(f"input '{name}' is not defined{where}", "inputs", index)
        return True

    def _read_common(self, family: LayerType, keys: Keys, inputs: list[str] | None) -> dict | None:
        """Read gpu and neuron; returns the neuron to be detached."""
        keys.raw("gpu")
        if family.max_inputs == 0:
            keys.layer["gpu"] = -1
        else:
            self._read_gpu(keys, inputs)
        if not family.takes_neuron:
            return None
        keys.parsed("neuron", parse_neuron, None)
        return keys.layer.pop("neuron", None)

    def _read_gpu(self, keys: Keys, inputs: list[str] | None) -> None:
        devices = range(self.net.num_gpus)
        if keys.raw("gpu") is not None:
            keys.integer("gpu")
            if keys.layer.get("gpu", 0) not in devices:
                keys.bad("gpu", f"one of the devices of this run ({', '.join(map(str, devices))})", keys.layer["gpu"])
            return
        if inputs is None:
            return
        below = [self.outputs[name]["gpu"] if name in self.outputs else None for name in inputs]
        if self.net.dialect.default_gpu:
            keys.layer["gpu"] = next((gpu for gpu in below if gpu is not None and gpu >= 0), 0)
        elif below[0] == -1:
            keys.problem("required parameter 'gpu' missing: its first input is a data layer, which has no device")
        elif below[0] is not None:
            keys.layer["gpu"] = below[0]

    def _shape(self, family: LayerType, keys: Keys, inputs: list[str]) -> None:
        layer = keys.layer
        below = [self.outputs[name] for name in inputs]
        layer["inputs"] = [source["name"] for source in below]
        layer["inputLayers"] = below
        layer["numInputs"] = [source["outputs"] for source in below]
        layer["gradConsumer"] = family.has_weights or any(source["gradConsumer"] for source in below)
        layer["usesActs"] = family.uses_acts
        layer["usesInputs"] = family.uses_inputs
        layer["forceOwnActs"] = family.force_own_acts
        layer["actsTarget"] = layer["actsGradTarget"] = -1
        layer["conserveMem"] = self.conserve_mem
        family.shape(layer, keys, self.net)
        if not keys.failed and not 1 <= layer["outputs"] <= LARGEST_INT:
            keys.problem(f"its number of outputs must be between 1 and {LARGEST_INT}, not {layer['outputs']}")

    def _read_layer_params(self, family: LayerType, layer: dict, sound: bool) -> bool:
        if self.params is None:
            return False
        keys = self._param_keys(layer["name"], layer, self.sections[layer["name"]][1].inputs)
        _read_params(family, keys)
        if sound and not keys.failed:
            family.apply_params(layer, keys, self.net.dialect)
        return not keys.failed

    def _param_keys(self, section: str, layer: dict, inputs: int | None) -> Keys:
        keys = Keys(self.params, section, layer, self.problems, inputs=inputs, warn=self.net.warn)
        self.param_keys.append(keys)
        return keys

    def _add(self, layer: dict, neuron: dict | None, params_sound: bool) -> None:
        name = layer["name"]
        self.net.layers[name] = self.outputs[name] = layer
        if neuron is None:
            return
        over = detach(layer, neuron, self._neuron_name(name))
        self.net.layers[over["name"]] = self.outputs[name] = over
        if params_sound:
            section = over["name"] if over["name"] in self.params else name
            read_quantization(over, self._param_keys(section, over, 1))

    def _neuron_name(self, name: str) -> str:
        taken = set(self.net.definition.sections) | set(self.net.layers)
        candidate, number = f"{name}_neuron", 0
        while candidate in taken:
            number += 1
            candidate = f"{name}_neuron.{number}"
        return candidate

    def _check_all_used(self) -> None:
        for name, (family, _) in self.sections.items():
            if family.has_output and name not in self.used:
                shown = self.outputs.get(name, {"name": name})["name"]
                line = self.net.definition.lines[name]
                message = f"Layer '{shown}': no other layer uses its output"
                self.problems.append(problem_at(self.net.definition.path, line, message))
