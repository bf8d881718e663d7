"""``convnet layers`` as a user types it: check, draw, notes (spec 2), and what is taken for the data's dimensions."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from convnet_py.cli import main
from convnet_py.demo import layer_defs
from convnet_py.errors import UsageError
from convnet_py.layers.data_dims import deduce
from convnet_py.layers.ini import read_ini

WEIGHTS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8"


@pytest.fixture
def convnet(capsys):
    """Runs ``convnet layers``; returns exit status, standard output and lines of standard error."""

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        status = main(["layers", *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err.splitlines()

    return run


@pytest.fixture
def small(empty):
    """The two files of a small net over data of 12 values."""
    empty.layer("data", "type=data dataIdx=0").layer("labels", "type=data dataIdx=1")
    empty.layer("fc", "type=fc inputs=data gpu=0 outputs=4 initW=0.1", WEIGHTS)
    empty.layer("probs", "type=softmax inputs=fc").layer(
        "cost", "type=cost.logreg inputs=labels,probs gpu=0", "coeff=1"
    )
    empty.read(data_dims=[12, 1])
    return empty.folder / "d.cfg", empty.folder / "p.cfg"


def net_files(name: str) -> tuple[object, object]:
    return layer_defs() / name / "layers.cfg", layer_defs() / name / "params.cfg"


@pytest.mark.parametrize(
    ("name", "images", "weights"), [("cifar-quick", "3 x 32 x 32", 89578), ("alexnet-2012", "3 x 224 x 224", 60965224)]
)
def test_check_finds_the_usual_image_size(convnet, name, images, weights):
    status, out, err = convnet("check", *net_files(name))
    assert status == 0
    assert out.splitlines()[-1].split()[:2] == ["total", f"{weights:,}"]
    assert err == [
        f"convnet: warning: data assumed: matrix 0 has {images}, matrix 1 has 1; --data-dims tells otherwise"
    ]


def test_given_dimensions_are_not_remarked_upon(convnet, small):
    status, out, err = convnet("check", *small, "--data-dims=12,1")
    assert (status, err) == (0, [])
    assert out.splitlines()[3].split()[:6] == ["fc", "fc", "data", "4", "0", "12x4"]


def test_check_as_data(convnet, small):
    status, out, _ = convnet("check", *small, "--data-dims", "12,1", "--json")
    assert status == 0
    assert json.loads(out)["totals"]["weights"] == 48


def test_a_provider_gives_dimensions_classes_and_tree(convnet, empty):
    empty.layer("data", "type=data dataIdx=0").layer("labels", "type=data dataIdx=1").layer(
        "gate", "type=data dataIdx=2"
    )
    empty.layer("tree", "type=treefc inputs=data gpu=0 initW=0.1", WEIGHTS).layer("probs", "type=softmax inputs=tree")
    empty.layer("cost", "type=cost.logreg inputs=labels,probs gpu=0", "coeff=1")
    empty.layer("gated", "type=cost.gsum2 inputs=gate,tree gpu=0", "coeff=1")
    files = empty.folder / "d.cfg", empty.folder / "p.cfg"
    for path, lines in zip(files, (empty.definition, empty.params), strict=True):
        path.write_text("\n".join(lines))
    status, out, err = convnet("check", *files, "--data-provider=dummy-lr-12")
    assert (status, err) == (0, [])
    assert "12x17" in out


def test_dimensions_that_nothing_tells(convnet, small):
    status, out, err = convnet("check", *small)
    assert (status, out) == (2, "")
    assert len(err) == 1 and "data layer 'data'" in err[0] and "give --data-dims=D0,D1,..." in err[0]


def test_all_mistakes_of_both_files_at_once(convnet, small):
    definition, params = small
    definition.write_text(definition.read_text().replace("initW=0.1", "initW=x").replace("inputs=fc", "inputs=fd"))
    params.write_text(params.read_text().replace("coeff=1", "coeff=much"))
    status, out, err = convnet("check", *small, "--data-dims=12,1")
    assert (status, out) == (1, "")
    assert [line.split(":")[1].strip() for line in err].count(str(definition)) == 2
    assert [line.split(":")[1].strip() for line in err].count(str(params)) == 1


def test_missing_files_are_both_reported(convnet, tmp_path):
    status, _, err = convnet("check", tmp_path / "d.cfg", tmp_path / "p.cfg")
    assert status == 1
    assert err == [
        f"convnet: {tmp_path}/{name}: cannot be read: No such file or directory" for name in ("d.cfg", "p.cfg")
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "layers: the following arguments are required: check|draw|notes"),
        (["chek"], "layers: argument check|draw|notes: invalid choice: 'chek'"),
        (["check", "d"], "layers check: the following arguments are required: PARAMS"),
        (["check", "d", "p", "--data-dims=3,x"], "--data-dims: got '3,x', takes the values per case of each matrix"),
        (["check", "d", "p", "--num-gpus=0"], "layers check: argument --num-gpus: got '0', takes an integer from 1"),
        (["check", "d", "p", "--data-provider=x"], "--data-provider: got 'x', takes one of"),
        (["check", "d", "p", "--data-dims=3", "--data-path=x"], "--data-dims: a data provider tells the dimensions"),
        (["draw", "d", "p"], "layers draw: the following arguments are required: -o/--output"),
        (["draw", "d", "p", "-o", "p.cfg"], "draw: -o: got 'p.cfg', takes a file name that ends in .svg"),
    ],
)
def test_usage_errors(convnet, arguments, complaint):
    status, out, err = convnet(*arguments)
    assert (status, out) == (2, "")
    assert len(err) == 1 and err[0].startswith(f"convnet: {complaint}")


def test_help(capsys):
    for arguments in (["layers", "--help"], ["layers", "check", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert "notes" in capsys.readouterr().out or "check" in arguments


def test_draw(convnet, small, tmp_path):
    target = tmp_path / "net.svg"
    status, out, _ = convnet("draw", *small, "--data-dims=12,1", "-o", target)
    assert (status, out) == (0, f"{target}\n")
    texts = [element.text for element in ElementTree.parse(target).iter() if element.tag.endswith("text")]
    assert "probs" in texts


def test_draw_where_nothing_can_be_written(convnet, small, tmp_path):
    status, _, err = convnet("draw", *small, "--data-dims=12,1", "-o", tmp_path / "nowhere" / "net.svg")
    assert status == 1
    assert err == [f"convnet: {tmp_path}/nowhere/net.svg: cannot be written: No such file or directory"]


def test_notes(convnet, tmp_path):
    first, second = tmp_path / "a.cfg", tmp_path / "b.cfg"
    first.write_text("[fc]\nepsW=1\n# lowered at 20.1\n")
    second.write_text("; on another machine\n")
    assert convnet("notes", first) == (0, "lowered at 20.1\n", [])
    assert convnet("notes", first, second)[1] == f"{first}:\nlowered at 20.1\n{second}:\non another machine\n"
    status, _, err = convnet("notes", tmp_path / "c.cfg")
    assert status == 1 and err == [f"convnet: {tmp_path}/c.cfg: cannot be read: No such file or directory"]


def test_what_the_layers_tell_of_the_data(tmp_path):
    path = tmp_path / "d.cfg"
    path.write_text(
        "[img]\ntype=data\ndataIdx=0\n[targets]\ntype=data\ndataIdx=3\n[gate]\ntype=data\ndataIdx=2\n"
        "[rgb]\ntype=rgb2yuv\ninputs=img\ngpu=1\n[fc]\ntype=fc\ninputs=rgb\noutputs=17\n[p]\ntype=neuron\ninputs=fc\n"
        "[c]\ntype=cost.crossent2\ninputs=targets,p\n[g]\ntype=cost.gsum2\ninputs=gate,fc\n"
    )
    told = deduce(read_ini(path))
    assert told.fixed == {3: 17, 2: 1}
    assert told.channels == {0: 3}
    assert next(told.candidates()) == {0: 3072, 2: 1, 3: 17}


def test_two_data_layers_may_show_the_same_matrix(tmp_path):
    path = tmp_path / "d.cfg"
    path.write_text(
        "[b]\ntype=data\ndataIdx=0\n[a]\ntype=data\ndataIdx=0\n[c]\ntype=conv\nchannels=3\ninputs=a\n"
        "[f]\ntype=fc\ninputs=b\noutputs=2\n"
    )
    assert deduce(read_ini(path)).channels == {0: 3}
    path.write_text("[b]\ntype=data\ndataIdx=0\n[f]\ntype=fc\ninputs=b\noutputs=2\n")
    with pytest.raises(UsageError, match="data layer 'b'"):
        deduce(read_ini(path))
