"""``convnet compare`` on real nets, with wrong engines, and through trace files (docs/trace.md)."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_nets import WEIGHTS, Net

from convnet_py import build
from convnet_py.cli import guarded
from convnet_py.compare.command import run_compare
from convnet_py.demo import layer_defs
from convnet_py.engines import make_engine
from convnet_py.trace import Trace, escaped, read_trace, write_trace

DOCUMENT = Path(__file__).parents[2] / "docs" / "trace.md"


def of_layer_defs(name: str) -> list[str]:
    return [f"--layer-def={layer_defs() / name / 'layers.cfg'}", f"--layer-params={layer_defs() / name / 'params.cfg'}"]


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors of ``convnet compare``."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = guarded(lambda words: run_compare(words, lambda text: None), list(arguments))
    return status, out.getvalue(), err.getvalue()


def one_line(result: tuple[int, str, str]) -> str:
    """The single line that a user error prints."""
    status, _, errors = result
    assert status in (1, 2)
    assert errors.count("\n") == 1, errors
    return errors


@pytest.mark.parametrize("batches", ["1", "3"])
def test_digits(batches: str):
    pytest.importorskip("sklearn")
    arguments = *of_layer_defs("digits"), "--data-provider=digits", "--mini=287", f"--batches={batches}", "--epochs=1"
    status, output, _ = run("--engines=rebuilt,torch", *arguments)
    assert status == 0, output
    assert re.search(r"^all \d+ within tolerance$", output, re.M)
    assert output.count(" ok") >= 40


def test_cifar_net_with_local_layers():
    arguments = *of_layer_defs("cifar-conv-local"), "--data-provider=dummy-lr-3072", "--dummy-cases=32", "--mini=32"
    status, output, _ = run("--engines=torch,rebuilt", *arguments)
    assert status == 0, output


def test_the_net_over_every_layer_type():
    arguments = *of_layer_defs("gradcheck"), "--data-provider=dummy-lr-192", "--num-gpus=3", "--exact-gradients=1"
    status, output, _ = run("--engines=rebuilt,torch", *arguments, "--dummy-cases=64", "--mini=64")
    assert status == 0, output
    assert output.count(" ok") >= 200


#: Both engines' activations and gradients of 128 images, and the trace of one.
ALEXNET_BYTES = 12 << 30


@pytest.mark.skipif(
    os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < ALEXNET_BYTES, reason="takes 12 GiB of free memory"
)
def test_the_two_column_imagenet_net():
    arguments = *of_layer_defs("alexnet-2012"), "--data-provider=dummy-lr-150528", "--num-gpus=2"
    status, output, _ = run("--engines=rebuilt,torch", *arguments, "--dummy-classes=1000", "--dummy-cases=128")
    assert status == 0, output
    assert output.count(" ok") >= 160


# A wrong engine


@pytest.fixture
def small(net: Net) -> Net:
    net.conv(keys="neuron=relu").layer("drop", "type=hs inputs=c keep=0.5", "enable=1")
    return net.logreg("drop")


@pytest.fixture
def disturbed(monkeypatch: pytest.MonkeyPatch):
    """Makes the torch engine start from weights, or run with settings, that are slightly wrong."""

    def disturb(change) -> None:
        def make(name, layers, **settings):
            if name == "torch":
                change(layers, settings)
            return make_engine(name, layers, **settings)

        monkeypatch.setattr(build, "make_engine", make)

    return disturb


def test_other_weights_fail(small: Net, disturbed):
    def change(layers, settings):
        layers["c"]["weights"][0][0, 0] *= 1.001

    disturbed(change)
    report = small.compare()
    assert report.status == 1
    assert report.rows("activations")["c"]["verdict"] == "FAILED"
    assert report.rows("weights after one update")["c/0"]["verdict"] == "FAILED"
    # It follows the other engine's activations, so that the layer at fault is the only one.
    assert report.rows("activations")["top"]["verdict"] == "ok"


def test_another_mask_fails(small: Net, disturbed):
    disturbed(lambda layers, settings: settings.update(seed=1))
    report = small.compare()
    assert report.status == 1
    assert report.rows("activations")["drop"]["verdict"] == "FAILED"
    assert report.rows("gradients")["c"]["verdict"] == "FAILED"


@pytest.mark.parametrize("key", ["momW", "epsW", "wc"])
def test_another_rule_fails_in_the_weights_alone(small: Net, disturbed, key: str):
    disturbed(lambda layers, settings: layers["c"].update({key: [layers["c"][key][0] * 1.01]}))
    report = small.compare("--batches=2", "--tolerance-trained=1e-5")
    assert report.status == 1
    assert {row["section"] for row in report.all_rows() if row["verdict"] == "FAILED"} <= {
        "weights after one update",
        "weights after the batches",
    }


def test_not_a_number_fails(small: Net, disturbed):
    disturbed(lambda layers, settings: layers["top"]["biases"].fill(np.nan))
    report = small.compare()
    assert report.status == 1
    assert report.rows("activations")["top"]["verdict"] == "FAILED"
    assert report.rows("activations")["top"]["difference"] is None


def test_tolerances_can_be_given(small: Net):
    assert small.compare("--tolerance-gradients=0").status == 1
    assert small.compare("--tolerance-trained=1").status == 0


# Traces


@pytest.fixture
def traced(small: Net) -> tuple[list[str], Path]:
    """A net's options, and the trace of the rebuilt engine."""
    arguments = [*small.files(), "--dummy-cases=12", "--mini=12", "--threads=1"]
    path = small.folder / "first.h5"
    assert run("--engines=rebuilt", f"--hdf5={path}", *arguments)[0] == 0
    return arguments, path


def test_trace_and_engine_agree(traced):
    arguments, path = traced
    status, output, _ = run(f"--engines={path},torch", *arguments)
    assert status == 0, output
    assert run(f"--engines=rebuilt,{path}", *arguments)[0] == 0


def test_the_minibatch_is_the_file_s(traced):
    arguments, path = traced
    assert run(f"--engines={path},torch", *arguments, "--train-range=2")[0] == 0


def test_round_trip_with_odd_names(tmp_path: Path):
    arrays = {"activations/a/b": np.ones((2, 3), np.float32), "activations/.": np.zeros((1, 3), np.float32)}
    arrays |= {"weight_gradients/50% [x]/1": np.eye(2, dtype=np.float32), "costs/c": np.array([1.5, 2])}
    write_trace(Trace("mine", arrays), tmp_path / "t.h5")
    read = read_trace(tmp_path / "t.h5")
    assert read.engine == "mine"
    assert read.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(read.arrays[name], array)
    assert escaped("..") == "%2E."


def test_a_foreign_trace_may_lack_arrays_but_not_be_wrong(traced):
    arguments, path = traced
    with h5py.File(path, "a") as file:
        for group in ("gradients", "weight_gradients", "bias_gradients", "updated", "trained", "costs", "initial"):
            del file[group]
        for name in list(file["activations"]):
            changed_in(file, f"activations/{name}", file[f"activations/{name}"][()].astype(np.float64))
    status, output, _ = run(f"--engines={path},torch", *arguments)
    assert status == 0, output
    with h5py.File(path, "a") as file:
        file["activations/top"][0, 0] += 1
    assert run(f"--engines={path},torch", *arguments)[0] == 1


def test_a_trace_with_nothing_in_common(traced):
    arguments, path = traced
    with h5py.File(path, "a") as file:
        for group in set(file) - {"data"}:
            del file[group]
    assert "activations" in one_line(run(f"--engines={path},{path}", *arguments))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def without_format(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file.attrs["format"]


def changed_in(file: h5py.File, name: str, value: object) -> None:
    if name in file:
        del file[name]
    if value is not None:
        file[name] = value


def changed(path: Path, name: str, value: object) -> None:
    with h5py.File(path, "a") as file:
        changed_in(file, name, value)


DAMAGES = {
    "truncated": (cut, "not a readable HDF5 file"),
    "not HDF5": (lambda path: path.write_text("hello"), "not a readable HDF5 file"),
    "another HDF5 file": (without_format, "not a trace"),
    "no data": (lambda path: changed(path, "data/1", None), "data/1"),
    "data of another net": (lambda path: changed(path, "data/0", np.ones((5, 12))), "data/0"),
    "unequal cases": (lambda path: changed(path, "data/1", np.ones((1, 3))), "data/1"),
    "too many cases": (lambda path: changed(path, "data/0", np.ones((192, 99))), "--mini=99"),
    "activations of another shape": (
        lambda path: changed(path, "activations/top", np.ones((3, 12))),
        "activations/top",
    ),
    "text for numbers": (lambda path: changed(path, "activations/top", "text"), "activations/top"),
    "a number for an array": (lambda path: changed(path, "costs/cost", 3.0), "costs/cost"),
    "an array for a group": (lambda path: changed(path, "gradients", np.ones((2, 2))), "'gradients' must be a group"),
    "gradients of another shape": (lambda path: changed(path, "gradients/top", np.ones((3, 12))), "shapes differ"),
    "another seed": (lambda path: changed(path, "initial/biases/top", np.ones((1, 10))), "initial/biases/top"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_traces_give_one_line(traced, kind: str):
    arguments, path = traced
    damage, message = DAMAGES[kind]
    damage(path)
    assert message in one_line(run(f"--engines={path},torch", *arguments))


# The command line


def test_usage_errors(small: Net, tmp_path: Path):
    arguments = small.files()
    assert "--engines" in one_line(run(*arguments))
    assert "takes two or more" in one_line(run("--engines=rebuilt", *arguments))
    assert "existing trace file" in one_line(run("--engines=rebuilt,nosuch", *arguments))
    assert "--batches" in one_line(run("--engines=rebuilt,torch", "--batches=-1", *arguments))
    assert "--layer-def" in one_line(run("--engines=rebuilt,torch", "--data-provider=dummy-lr-192"))
    assert "--data-provider" in one_line(run("--engines=rebuilt,torch", *arguments[:2]))
    assert "nowhere" in one_line(run("--engines=torch", "--hdf5=/nowhere/x.h5", "--dummy-cases=4", *arguments))


def test_a_trace_that_is_read_is_not_overwritten(traced):
    arguments, path = traced
    before = path.read_bytes()
    assert "one of the traces" in one_line(run(f"--engines={path},torch", f"--hdf5={path}", *arguments))
    assert path.read_bytes() == before


def test_web_page(net: Net):
    net.conv("<b>", "neuron=relu", WEIGHTS).logreg("<b>")
    page = net.folder / "report.html"
    assert net.compare(f"--html={page}").status == 0
    text = page.read_text()
    assert "&lt;b&gt;" in text and "<b>_neuron" not in text
    assert "All within tolerance" in text
    assert not re.search(r"(src|href)=", text)  # self-contained


# The document


def test_the_document_s_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    text = DOCUMENT.read_text()
    command = shlex.split(re.search(r"```sh\n(.*?)```", text, re.S)[1].replace("\\\n", " "))
    assert command[:2] == ["convnet", "compare"]
    arguments = [word.replace("layer_defs/", f"{layer_defs()}/") for word in command[2:]]
    monkeypatch.chdir(tmp_path)
    assert run_compare(arguments, lambda warning: None) == 0
    exec(re.search(r"```python\n(.*?)```", text, re.S)[1], {})
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [["activations/fc3:", "ok"], ["weight_gradients/fc3/0:", "ok"]]
