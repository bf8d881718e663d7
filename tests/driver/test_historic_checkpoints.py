"""Checkpoints of the three releases: read, gone on from, converted and written again bit for bit (spec 4.3).

The files in historic_checkpoints/ were written by a real Python 2.7 with NumPy 1.16 (make.py there).
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pickle_listing import Made
from pickle_listing import read as listed
from small_data import make_batch, write_pickle
from test_checkpoint import _make

from convnet_py import checkpoint, layers
from convnet_py.checkpoint import Outcome
from convnet_py.data import safe_pickle
from convnet_py.errors import CheckpointError

FOLDER = Path(__file__).parent / "historic_checkpoints"
RELEASES = ("2011", "2012", "2014")
SAME = ("2012.zipped", "2012.gzipped", "2012.protocol0")
FORMATS = {"native": "x.h5", "historic": "x.pkl", "npy": "x"}


def expected_arrays(release):
    with np.load(FOLDER / f"{release}.npz") as file:
        return dict(file)


def arrays_of(saved):
    found = {}
    for name, layer in saved.layers.items():
        for key in ("weights", "weightsInc"):
            if key in layer:
                found |= {f"{name}.{key}.{index}": array for index, array in enumerate(layer[key])}
        found |= {f"{name}.{key}": layer[key] for key in ("biases", "biasesInc") if key in layer}
    return found


def assert_same_bits(one, other):
    assert sorted(one) == sorted(other)
    for name, array in one.items():
        assert array.dtype == other[name].dtype and array.shape == other[name].shape, name
        assert array.flags.f_contiguous == other[name].flags.f_contiguous, name
        assert array.tobytes("A") == other[name].tobytes("A"), name


@pytest.mark.parametrize("name", [*RELEASES, *SAME])
def test_every_release_is_read(name):
    release = name[:4]
    saved = checkpoint.read(FOLDER / name)
    expected = json.loads((FOLDER / f"{release}.json").read_text())
    assert saved.origin.release == release
    assert (saved.epoch, saved.batch) == (2, 1)
    assert {layer["name"]: layer["type"] for layer in saved.layers.values()} == expected["layers"]
    assert_same_bits(arrays_of(saved), expected_arrays(release))
    for outcomes, known in ((saved.train_outputs, "train_outputs"), (saved.test_outputs, "test_outputs")):
        assert [[one.costs, one.cases] for one in outcomes] == expected[known]
    op = saved.origin.rest["op"]
    assert op.old_style and op.cls.name == "OptionsParser"
    assert saved.options["train-range"] == "1-3" and saved.options["gpu"] == "-1"
    assert saved.options["save-path"] == "/checkpoints/of/then/é"
    assert "logreg-name" not in saved.options


@pytest.mark.parametrize("release", RELEASES)
def test_outputs_are_per_case_in_2011_and_2012_and_sums_in_2014(release):
    saved = checkpoint.read(FOLDER / release)
    first = saved.train_outputs[0]
    assert first.divided == (release != "2014")
    np.testing.assert_allclose(first.per_case()["logprob"], [1.25 / 3, 0], rtol=1e-15)


@pytest.mark.parametrize("release", RELEASES)
def test_the_common_form(release):
    saved = checkpoint.load(FOLDER / release)
    assert saved.origin is None
    before: set[str] = set()
    for name, layer in saved.layers.items():
        assert set(layer["inputs"]) <= before
        before.add(name)
    conv = saved.layers["conv1"]
    assert (conv["channels"], conv["padding"], conv["gpu"], conv["weightsPerFilter"]) == ([3], [0], 0, [3])
    assert conv["epsW"] == [0.001] and conv["epsB"] == 0.002
    assert saved.layers["data"]["gpu"] == -1
    if release == "2014":
        schedule = {"type": "dexp", "params": {"tgtFactor": 250.0, "noiseStdev": 0.0, "numSteps": 4}}
        assert conv["schedW"] == schedule and conv["schedB"]["type"] == "default"
    layers.link(saved.layers)
    assert saved.layers["conv1"]["inputLayers"] == [saved.layers["data"]]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("way", ["native", "npy", "historic"])
def test_round_trips_are_bit_exact(release, way, tmp_path):
    original = checkpoint.read(FOLDER / release)
    between, back = tmp_path / FORMATS[way], tmp_path / "back.pkl"
    checkpoint.write(original, between, way)
    checkpoint.write(checkpoint.read(between), back, "historic")
    saved = checkpoint.read(back)
    assert_same_bits(arrays_of(saved), expected_arrays(release))
    assert saved.train_outputs == original.train_outputs and saved.test_outputs == original.test_outputs
    assert plain(listed(back.read_bytes())[0]) == plain(listed((FOLDER / release).read_bytes())[0])


def plain(value, path=()):
    """A listing to compare: names of modules as they are, layers within layers by name, dictionaries without order."""
    if isinstance(value, Made):
        return [value.how, value.name, plain(value.arguments, path), plain(value.state, path)]
    if isinstance(value, dict):
        if "name" in value and "type" in value and len(path) > 3:
            return ["layer", value["name"]]
        items = {repr(key): plain(item, (*path, key)) for key, item in value.items()}
        return {key: items[key] for key in sorted(items)}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *(plain(item, (*path, place)) for place, item in enumerate(value))]
    return value


def native_run():
    saved = _make()
    layer = saved.layers["fc/1.a"]
    del layer["inputLayers"]
    saved.layers["Ж é"] = {"name": "Ж é", "type": "x", "inputs": ["data"], "weights": layer["weights"], "big": 2**62}
    saved.options = {"epochs": "3", "train-range": "2-4", "gpu": "0,1", "test-one": "0", "layer-def": "/é.cfg",
                     "seed": "5", "engine": "torch", "color-noise": "0.1"}  # fmt: skip
    return saved


def assert_equal_checkpoints(one, other):
    assert list(one.layers) == list(other.layers)
    assert_same_bits(arrays_of(one), arrays_of(other))
    for name in ("epoch", "batch", "options", "test_batch", "train_outputs", "test_outputs", "engine", "origin"):
        assert getattr(one, name) == getattr(other, name), name
    for layer, again in zip(one.layers.values(), other.layers.values(), strict=True):
        for key in set(layer) - {"weights", "weightsInc", "biases", "biasesInc"}:
            assert type(layer[key]) is type(again[key]) and layer[key] == again[key], key
    assert_same_bits(one.engine_state, other.engine_state)
    assert one.train_random[1].tobytes() == other.train_random[1].tobytes()
    assert one.train_random[2:] == other.train_random[2:] and other.test_random is None


@pytest.mark.parametrize("way", ["native", "npy", "historic"])
@pytest.mark.parametrize("compress", [False, True])
def test_a_run_of_this_program_survives_every_format(way, compress, tmp_path):
    saved, path = native_run(), tmp_path / FORMATS[way]
    checkpoint.write(saved, path, way, compress=compress)
    again = checkpoint.load(path)
    assert_equal_checkpoints(saved, again)
    assert again.layers["Ж é"]["weights"][0] is again.layers["fc/1.a"]["weights"][0]


def test_what_is_written_for_2012_is_what_its_python_reads(tmp_path):
    path = tmp_path / "1.2"
    checkpoint.write(native_run(), path, "historic")
    value, opcodes = listed(path.read_bytes())
    assert not opcodes & {"BINBYTES", "SHORT_BINUNICODE", "STACK_GLOBAL", "MEMOIZE", "FRAME"}
    state, op = value["model_state"], value["op"]
    assert (state["epoch"], state["batchnum"]) == (1, 2)
    # Per case, as its printer leaves them.
    assert state["train_outputs"][0] == ({"a": [0.1 / 7, 1 / 3 / 7], "b": [5.0 / 7]}, 7)
    layer = state["layers"]["fc/1.a"]
    array = layer["weights"][1]
    assert (array.how, array.name) == ("call", "numpy.core.multiarray._reconstruct")
    assert array.arguments[0].name == "numpy.ndarray" and array.arguments[1:] == ((0,), "b")
    version, shape, dtype, fortran, raw = array.state
    assert (version, shape, fortran) == (1, (4, 5), True)
    assert (dtype.name, dtype.arguments, dtype.state) == (
        "numpy.dtype", ("f8", 0, 1), (3, "<", None, None, None, -1, -1, 0),
    )  # fmt: skip
    decoded = np.frombuffer(raw.encode("latin-1"), "<f8").reshape(4, 5, order="F")
    assert (decoded == native_run().layers["fc/1.a"]["weights"][1]).all()
    assert layer["inputLayers"] == [state["layers"]["data"]] and layer["inputLayers"][0] is state["layers"]["data"]
    assert (op.how, op.name, op.arguments) == ("old-style", "options.OptionsParser", ())
    options = op.state["options"]
    assert options["train_batch_range"].how == "old-style"
    values = {name: option.state["value"] for name, option in options.items()}
    assert values == {
        "num_epochs": 3, "train_batch_range": [2, 3, 4], "gpu": [0, 1], "test_one": False, "color_noise": 0.1,
        "layer_def": "/é.cfg".encode().decode("latin-1"),
    }  # fmt: skip
    assert options["test_one"].state["parser"].name == "options.BooleanOptionParser"


def test_a_zip_as_zip_save_makes_it(tmp_path):
    checkpoint.write(native_run(), tmp_path / "z", "historic", compress=True)
    with zipfile.ZipFile(tmp_path / "z") as archive:
        assert archive.namelist() == ["data"]
        assert listed(archive.read("data"))[0]["model_state"]["epoch"] == 1


def test_a_file_that_the_historic_program_went_on_with(tmp_path):
    """Our own entry is then out of date, and no longer believed."""
    saved, path = native_run(), tmp_path / "1.2"
    checkpoint.write(saved, path, "historic")
    content = path.read_bytes()
    old = b"U\x08batchnumJ\x02\x00\x00\x00U"
    assert content.count(old) == 2
    path.write_bytes(content.replace(old, old.replace(b"\x02", b"\x03"), 1))
    again = checkpoint.read(path)
    assert again.batch == 3 and again.origin.release == "2012" and again.engine == ""
    assert again.train_outputs[0] == Outcome({"a": [0.1 / 7, 1 / 3 / 7], "b": [5.0 / 7]}, 7, 1, True)


DEFINITION = """
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
[conv1]
type=conv
inputs=data
channels=3
filters=16
filterSize=1
initW=0.1
partialSum=0
gpu=0
neuron=relu
[fc_a]
type=fc
inputs=conv1
outputs=4
initW=0.1
[probs]
type=softmax
inputs=fc_a
[logprob]
type=cost.logreg
inputs=labels,probs
gpu=0
"""
SHARED = DEFINITION.replace("inputs=fc_a", "inputs=sum").replace(
    "[probs]", "[fc_b]\ntype=fc\ninputs=conv1\noutputs=4\ninitW=0.1\nweightSource=fc_a\n"
    "[sum]\ntype=eltsum\ninputs=fc_a,fc_b\ncoeffs=1,0.5\n[probs]")  # fmt: skip
#: Without learning, so that the weights must stay as they are.
RATES = "[{}]\nepsW=0\nepsB=0\nmomW=0.9\nmomB=0.9\nwc=0\n"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("way", ["as it is", "native", "npy"])
def test_a_run_goes_on_from_it(release, way, convnet, data_folder, tmp_path):
    path = FOLDER / release
    if way != "as it is":
        path = tmp_path / FORMATS[way]
        assert convnet("checkpoint", "convert", str(FOLDER / release), str(path)).returncode == 0
    for number in range(1, 6):
        batch = make_batch(number)
        batch["data"] = (batch["data"] / 100).astype(np.float32)
        write_pickle(data_folder / f"data_batch_{number}", batch)
    (tmp_path / "def.cfg").write_text(SHARED if release == "2012" else DEFINITION)
    weighted = ["conv1", "fc_a", "fc_b"]
    (tmp_path / "params.cfg").write_text("".join(map(RATES.format, weighted)) + "[logprob]\ncoeff=1\n")
    arguments = ["-f", str(path), f"--layer-def={tmp_path / 'def.cfg'}", f"--layer-params={tmp_path / 'params.cfg'}",
                 f"--data-path={data_folder}", f"--save-path={tmp_path / 'save'}", "--epochs=2",
                 "--threads=1"]  # fmt: skip
    result = convnet("train", *arguments, "--checkpoint-format=historic")
    assert result.returncode == 0, result.stderr
    # After batch 1 of epoch 2.
    assert "2.2... logprob:" in result.stdout and "2.1..." not in result.stdout
    (written,) = (tmp_path / "save").glob("*/2.3")
    value, _ = listed(written.read_bytes())
    assert value["model_state"]["batchnum"] == 3 and len(value["model_state"]["train_outputs"]) == 6
    again = convnet("train", "-f", str(written.parent), "--epochs=3", "--threads=1")
    assert again.returncode == 0 and "3.1... logprob:" in again.stdout, again.stderr
    listed((written.parent / "3.3").read_bytes())
    weights = {name: array for name, array in expected_arrays(release).items() if "Inc" not in name}
    after = arrays_of(checkpoint.read(written.parent / "3.3"))
    assert_same_bits({name: array for name, array in after.items() if "Inc" not in name}, weights)


def test_show_draws_them(convnet, tmp_path):
    result = convnet("show", "-f", str(FOLDER / "2012"), f"--output={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "filters-2.1.png").is_file() and (tmp_path / "cost-2.1.png").is_file()


# The command


def test_info(convnet):
    result = convnet("checkpoint", "info", str(FOLDER / "2014"))
    assert result.returncode == 0 and not result.stderr
    assert "historic (pickle of Python 2), release 2014" in result.stdout
    assert "after batch 1 of epoch 2" in result.stdout
    assert "conv1         conv         64       3 x 16   16 x 1" in result.stdout
    assert "--train-range    1-3" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["convert", "2012", "3.10"], 2, "'3.10' does not tell a format; give --format=native, historic or npy"),
        (["convert", "none", "x.h5"], 1, "none: no such checkpoint file or folder"),
        (["convert", "2012", "taken.h5"], 1, "taken.h5: exists already; nothing is overwritten"),
        (["convert", "2012", "nowhere/x.h5"], 1, "nowhere: no such folder"),
        (["convert", "2012", "x", "--zip"], 2, "--zip means nothing"),
        (["info"], 2, "the following arguments are required: FILE"),
        (["undo"], 2, "see convnet checkpoint --help"),
        (["info", "2012.json"], 1, "2012.json: not a checkpoint"),
        (["info", "2012.npz"], 1, "2012.npz"),
        (["info", "empty"], 1, "empty: not a checkpoint: an empty file"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(arguments, status, message, convnet, tmp_path):
    for name in ("2012", "2012.json", "2012.npz"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    (tmp_path / "taken.h5").write_text("precious")
    (tmp_path / "empty").touch()
    before = sorted(tmp_path.iterdir())
    command = [arguments[0], *(str(tmp_path / word) if word[0] != "-" else word for word in arguments[1:])]
    result = convnet("checkpoint", *command)
    assert result.returncode == status, result.stderr
    (line,) = result.stderr.splitlines()
    assert message in line
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "taken.h5").read_text() == "precious"


@pytest.mark.parametrize("name", [*RELEASES, *SAME[:2]])
def test_truncated_files_are_one_line(name, tmp_path):
    content = (FOLDER / name).read_bytes()
    for length in [*range(1, 40), *range(40, len(content), 397), len(content) - 1]:
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(CheckpointError) as caught:
            checkpoint.read(tmp_path / "cut")
        assert str(tmp_path / "cut") in str(caught.value) and "\n" not in str(caught.value)


def test_a_batch_is_not_a_checkpoint(data_folder):
    with pytest.raises(CheckpointError, match="a pickle, but not a checkpoint: it has no model_state"):
        checkpoint.read(data_folder / "data_batch_1")


def test_a_checkpoint_is_not_a_batch(data_folder, convnet):
    (data_folder / "batches.meta").write_bytes((FOLDER / "2012").read_bytes())
    result = convnet("test", f"--data-path={data_folder}", "--data-provider=labeled")
    assert result.returncode in (1, 2) and "Traceback" not in result.stderr


def test_a_half_written_folder_is_one_line(tmp_path):
    folder = tmp_path / "x"
    checkpoint.write(checkpoint.read(FOLDER / "2012"), folder, "npy")
    index = (folder / "checkpoint.json").read_text()
    arrays = sorted(folder.rglob("*.npy"))
    content = arrays[0].read_bytes()
    for damaged in (content[:50], content[:-3], b"", b"\x93NUMPY\x01\x00\xff\xff"):
        arrays[0].write_bytes(damaged)
        with pytest.raises(CheckpointError, match="a damaged or truncated checkpoint"):
            checkpoint.read(folder)
    arrays[0].unlink()
    with pytest.raises(CheckpointError, match=f"{arrays[0].name} is missing"):
        checkpoint.read(folder)
    for damaged in (index[: len(index) // 2], "", "[]", "{}", index.replace('"layers/', '"../layers/', 1)):
        (folder / "checkpoint.json").write_text(damaged)
        with pytest.raises(CheckpointError):
            checkpoint.read(folder)
    (folder / "checkpoint.json").unlink()
    with pytest.raises(CheckpointError, match="this folder has no checkpoints"):
        checkpoint.find(folder)


@pytest.mark.parametrize("way", FORMATS)
def test_a_failure_leaves_nothing_half_written(way, tmp_path, monkeypatch):
    saved = native_run()
    saved.layers["data"]["odd"] = object()
    with pytest.raises(CheckpointError, match=r"cannot be written: .*object"):
        checkpoint.write(saved, tmp_path / "x", way)
    del saved.layers["data"]["odd"]

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CheckpointError, match="x: cannot be written: No space left on device"):
        checkpoint.write(saved, tmp_path / "x", way)
    assert not list(tmp_path.iterdir())


def test_no_permission_is_one_line(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(tmp_path / "1.1"))

    (tmp_path / "1.1").write_bytes((FOLDER / "2012").read_bytes())
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"1\.1: no permission to read it"):
        checkpoint.load(tmp_path / "1.1")


def test_an_attack_in_a_checkpoint_is_refused_by_name(tmp_path):
    content = (FOLDER / "2012").read_bytes()
    (tmp_path / "1.1").write_bytes(content.replace(b"coptions\nOptionsParser", b"cos\nsystem", 1))
    with pytest.raises(CheckpointError, match=r"1\.1: refused, because the file holds the global os\.system"):
        checkpoint.load(tmp_path / "1.1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state["layers"]["conv1"].update(type="cost.dce"), "'cost.dce' has no counterpart"),
        (lambda state: state["layers"]["conv1"].update(type="a\nb\x1b"), r"type 'a\\nb\\x1b' has no counterpart"),
        (lambda state: state["layers"]["conv1"].update(gpu=[0, 1]), "several devices for one layer"),
        (lambda state: state["layers"]["conv1"].update(inputs=["conv1"]), "among its own inputs"),
        (lambda state: state["layers"]["conv1"].update(inputs=["none"]), "its inputs are not in the net"),
        (lambda state: state["layers"]["conv1"].pop("modulesX"), "it lacks 'modulesX'"),
        (lambda state: state["layers"]["conv1"].update(weights=[]), "its weights are not a matrix for each input"),
        (lambda state: state.pop("batchnum"), "its model_state has no batchnum"),
        (lambda state: state.update(layers=[]), "its layers are empty"),
        (lambda state: state.update(train_outputs=[3]), "its entries are not those of one"),
        (lambda state: state.update(epoch="x"), "not a checkpoint"),
    ],
)
def test_what_has_no_common_form_is_one_line(change, message, tmp_path):
    from convnet_py.checkpoint.python2 import Python2Pickler

    value = safe_pickle.load(FOLDER / "2014")
    change(value["model_state"])
    with (tmp_path / "1.1").open("wb") as file:
        Python2Pickler(file).dump(value)
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.load(tmp_path / "1.1")
    assert "\n" not in str(caught.value) and str(tmp_path / "1.1") in str(caught.value)
