"""Every layer type of the stand-in for the historic sources, and the platform below it, beside the rebuilt engine."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from slots import convnet, silent

from convnet_py.build import make_providers, new_layers
from convnet_py.engines.original import OriginalEngine
from convnet_py.engines.rebuilt import RebuiltEngine
from convnet_py.options import parse_arguments

LEARNS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8 wc=0.01"

#: Layer -> its keys in the definition, its keys in the parameters.
LAYERS = {
    "data": ("type=data dataIdx=0", ""),
    "labels": ("type=data dataIdx=1", ""),
    "yuv": ("type=rgb2yuv inputs=data gpu=0", ""),
    "lab": ("type=rgb2lab inputs=data center=1 neuron=linear[0.01,0.5] gpu=0", ""),
    "mirror": ("type=href inputs=data channels=3 gpu=1", ""),
    "half": ("type=resize inputs=data channels=3 scale=2 gpu=1", ""),
    "conv": ("type=conv inputs=yuv,lab channels=3,3 filters=16,16 filterSize=3,3 padding=1,1 initW=0.1,0.1 "
             "partialSum=0 neuron=tanh[1,1] gpu=0", "epsW=0.1,0.1 epsB=0.2 momW=0.9,0.9 momB=0.8 wc=0.01,0"),
    "again": ("type=conv inputs=mirror channels=3 filters=16 filterSize=3 padding=1 partialSum=8 initW=0.1 gpu=1 "
              "sharedBiases=0 neuron=relu", LEARNS + " wball=0.01"),
    "cross": ("type=cmrnorm inputs=conv channels=16 size=5", "scale=0.1 pow=0.75 minDiv=2"),
    "blocks": ("type=cmrnorm inputs=again channels=16 size=4 blocked=1", "scale=0.1 pow=0.5"),
    "within": ("type=rnorm inputs=cross channels=16 size=3", "scale=0.1 pow=0.75"),
    "contrast": ("type=cnorm inputs=blocks channels=16 size=3", "scale=0.1 pow=0.75"),
    "max": ("type=pool pool=max inputs=within channels=16 sizeX=3 stride=2", ""),
    "abs": ("type=pool pool=maxabs inputs=contrast channels=16 sizeX=2 stride=2", ""),
    "avg": ("type=pool pool=avg inputs=contrast channels=16 sizeX=3 stride=2", ""),
    "rand": ("type=pool pool=rand inputs=within channels=16 sizeX=2 stride=2", "doMax=1"),
    "larger": ("type=eltmax inputs=abs,avg", "quantF=half quantB=half"),
    "sum": ("type=eltsum inputs=max,rand,larger coeffs=1,0.5,2 gpu=0", ""),
    "blurred": ("type=blur inputs=sum channels=16 filterSize=3 stdev=1", ""),
    "nails": ("type=nailbed inputs=blurred channels=16 stride=2", ""),
    "sparse": ("type=conv inputs=sum channels=16 groups=4 randSparse=1 filterChannels=8 filters=16 filterSize=3 "
               "padding=1 stride=2 initW=0.1 partialSum=0", LEARNS),
    "local": ("type=local inputs=nails channels=16 groups=2 filters=16 filterSize=1 initW=0.2 neuron=logistic",
              LEARNS + " wball=0.1"),
    "scattered": ("type=local inputs=sparse channels=16 groups=4 randSparse=1 filterChannels=8 filters=16 filterSize=1 "
                  "initW=0.1 neuron=brelu[2]", LEARNS),
    "small": ("type=fc inputs=half outputs=12 initW=0.05 gpu=1 neuron=relu",
              LEARNS + " schedW=linear[tgtFactor=10,noiseStdev=0]"),
    "joined": ("type=concat inputs=local,scattered,small gpu=0", ""),
    "dropped": ("type=hs inputs=joined keep=0.5", "enable=0"),
    "top": ("type=fc inputs=dropped outputs=10 initW=0.1", LEARNS),
    "probs": ("type=softmax inputs=top", ""),
    "cost": ("type=cost.logreg inputs=labels,probs gpu=0", "coeff=1 topk=3"),
    # A second user of the probabilities: their gradient goes through the softmax.
    "other": ("type=cost.logreg inputs=labels,probs gpu=0", "coeff=0.5"),
    "tica": ("type=cost.tica inputs=again channels=16 sizeX=3 gpu=1", "coeff=0.001"),
}  # fmt: skip


def write(folder: Path, layers: Mapping[str, tuple[str, str]]) -> list[str]:
    """Options of a net of these layers."""
    for file, place in (("layers.cfg", 0), ("params.cfg", 1)):
        sections = (f"[{name}]\n" + keys[place].replace(" ", "\n") for name, keys in layers.items() if keys[place])
        (folder / file).write_text("\n\n".join(sections) + "\n")
    return [f"--layer-def={folder}/layers.cfg", f"--layer-params={folder}/params.cfg", "--data-provider=dummy-lr-192"]


@pytest.mark.parametrize("transfers", ["peer", "host"])
def test_all_layers_agree(built_slot: Path, transfers: str, tmp_path: Path) -> None:
    result = convnet(
        built_slot, "compare", "--engines=rebuilt,original", *write(tmp_path, LAYERS), "--num-gpus=2",
        "--dummy-cases=24", "--mini=24", "--threads=1", "--batches=2", f"--transfers={transfers}",
        "--tolerance-trained=1e-4",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def test_what_draws_in_training_agrees_in_tests_and_trains(built_slot: Path, tmp_path: Path) -> None:
    drawing = {
        "data": ("type=data dataIdx=0", ""),
        "labels": ("type=data dataIdx=1", ""),
        "scaled": ("type=rscale inputs=data channels=3 tgtSize=6 maxScale=1.3 gpu=0", ""),
        "conv": (
            "type=conv inputs=scaled channels=3 filters=16 filterSize=3 initW=0.1 partialSum=0 neuron=nrelu",
            LEARNS,
        ),
        "pooled": ("type=pool pool=rand inputs=conv channels=16 sizeX=2 stride=2", "doMax=0"),
        "dropped": ("type=hs inputs=pooled keep=0.5", "enable=1"),
        "top": ("type=fc inputs=dropped outputs=10 initW=0.1", LEARNS + " schedW=exp[tgtFactor=10,noiseStdev=0.1]"),
        "probs": ("type=softmax inputs=top", ""),
        "cost": ("type=cost.logreg inputs=labels,probs gpu=0", "coeff=1"),
    }
    options = parse_arguments([*write(tmp_path, drawing), "--dummy-cases=24"])
    provider, _ = make_providers(options, "dummy-lr-192", silent)
    assert provider is not None
    layers = new_layers(options, provider, silent)
    data = [np.ascontiguousarray(matrix) for matrix in provider.get_batch(1)]
    scaled = []
    for make in (
        RebuiltEngine,
        lambda *given: OriginalEngine(*given, extension=built_slot / "build" / "cpu" / "_ConvNet.so"),
    ):
        own = copy.deepcopy(layers)
        engine = make(own, [-1], 24)
        features = np.zeros((24, 3 * 6 * 6), np.float32)
        engine.start_feature_writer(data, [features], ["scaled"])
        engine.finish_batch()
        scaled.append(features)
        for _ in range(5):
            engine.start_batch(data, 0.5)
            costs, cases = engine.finish_batch()
            assert cases == 24 and np.isfinite(costs["cost"]).all()
        engine.sync_with_host()
        assert not np.array_equal(own["conv"]["weights"][0], layers["conv"]["weights"][0])
    assert np.array_equal(*scaled) and scaled[0].any()


def test_what_the_tree_lacks_it_says(built_slot: Path, tmp_path: Path) -> None:
    layers = {**LAYERS, "again": (LAYERS["again"][0], f"{LEARNS} wcNormMax=1")}
    result = convnet(
        built_slot, "train", "--engine=original", *write(tmp_path, layers), "--num-gpus=2", "--train-range=1",
        "--test-range=1", "--epochs=1", f"--save-path={tmp_path}/runs",
    )  # fmt: skip
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "wcNormMin and wcNormMax are not in this tree" in line
