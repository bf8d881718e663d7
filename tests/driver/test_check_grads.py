"""``convnet check-grads``: the net that uses everything passes, wrong gradients fail with status 1 (spec 3.9)."""

from __future__ import annotations

import pytest

from convnet_py.cli import main
from convnet_py.demo import layer_defs
from convnet_py.layers.base import type_names
from convnet_py.layers.ini import read_ini
from convnet_py.layers.neuron import NEURONS
from convnet_py.layers.pool import KINDS

FOLDER = layer_defs() / "gradcheck"
FILES = (f"--layer-def={FOLDER / 'layers.cfg'}", f"--layer-params={FOLDER / 'params.cfg'}")
SMALL = ("--data-provider=dummy-lr-192", "--mini=16", "--dummy-cases=16", "--threads=1")


def test_the_net_that_uses_everything_passes(capsys):
    assert main(["check-grads", *FILES, *SMALL, "--num-gpus=3", "--exact-gradients=1"]) == 0
    report = capsys.readouterr().out
    assert report.splitlines()[-1] == "ALL 33 TESTS PASSED"
    assert "FAIL" not in report and "skipped" not in report


def test_it_does_use_everything():
    definition = read_ini(FOLDER / "layers.cfg")
    values = [{key: value.text for key, value in section.items()} for section in definition.sections.values()]
    assert {section["type"] for section in values} == set(type_names()) - {"cost.tica"}
    neurons = {section["neuron"].partition("[")[0] for section in values if "neuron" in section}
    assert neurons == set(NEURONS) - {"nrelu"}
    assert {section["pool"] for section in values if "pool" in section} == set(KINDS)
    assert {section["gpu"] for section in values if "gpu" in section} == {"0", "1", "2"}
    for kind in ("conv", "local", "fc"):
        assert any(section["type"] == kind and "weightsource" in section for section in values)


@pytest.fixture
def tica(tmp_path):
    """A net with a cost whose gradient is not that of its value (spec 3.7); ``{rate}`` stands in the parameters."""
    (tmp_path / "layers.cfg").write_text(
        "[data]\ntype=data\ndataIdx=0\n[conv]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=3\npadding=1\n"
        "initW=0.1\npartialSum=0\ngpu=0\n[cost]\ntype=cost.tica\ninputs=conv\nchannels=16\nsizeX=3\ngpu=0\n"
    )

    def files(rate: str, coeff: str = "1") -> list[str]:
        weights = f"epsW={rate}\nepsB={rate}\nmomW=0\nmomB=0\n"
        (tmp_path / "params.cfg").write_text(f"[conv]\n{weights}[cost]\ncoeff={coeff}\n")
        return [f"--layer-def={tmp_path / 'layers.cfg'}", f"--layer-params={tmp_path / 'params.cfg'}"]

    return files


def test_a_wrong_gradient_fails(tica, capsys):
    assert main(["check-grads", *tica("0.1"), "--data-provider=dummy-48", *SMALL[1:]]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "2/2 TESTS FAILED"
    assert captured.err == "convnet: gradient check: 2 of 2 tests failed\n"


def test_nothing_to_check_is_an_error(tica, capsys):
    assert main(["check-grads", *tica("0"), "--data-provider=dummy-48", *SMALL[1:]]) == 1
    assert capsys.readouterr().err == "convnet: gradient check: no layer of this net has weights that learn\n"


def test_no_gradient_at_all_fails(tica, capsys):
    """0/0, which 2012 lets pass."""
    assert main(["check-grads", *tica("0.1", coeff="0"), "--data-provider=dummy-48", *SMALL[1:]]) == 1
    assert "relative error: -nan" in capsys.readouterr().out.replace(": nan", ": -nan")


def test_only_dummy_providers(tica, capsys):
    assert main(["check-grads", *tica("0.1"), "--data-provider=digits"]) == 2
    assert "needs a dummy provider" in capsys.readouterr().err


def test_the_historic_option_does_the_same(tica, capsys):
    assert main(["train", "--check-grads=1", *tica("0.1"), "--data-provider=dummy-48", *SMALL[1:]]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2/2 TESTS FAILED"
