"""Mutated layer files are accepted or refused in clear lines; nothing else ever comes out (spec 2.1)."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convnet_py.errors import LayerFileError
from convnet_py.layers import read_net

DEFINITION = """\
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
filterSize=3
padding=1
stride=1
initW=0.1
partialSum=8
sharedBiases=1
neuron=tanh[1,2]
gpu=0
[rnd]
type=conv
inputs=conv1
channels=16
filters=16
groups=2
randSparse=1
filterChannels=8
filterSize=3
initW=0.1
partialSum=0
weightSource=
[norm]
type=cmrnorm
inputs=rnd
channels=32
size=5
[pool]
type=pool
pool=max
inputs=norm
channels=32
sizeX=3
start=0
stride=2
[drop]
type=hs
keep=0.5
inputs=pool
[fc]
type=fc
inputs=drop
outputs=10
initW=0.1
[probs]
type=softmax
inputs=fc
[logprob]
type=cost.logreg
inputs=labels,probs
gpu=0
"""
WEIGHTS = "epsW=0.1\nepsB=0.1\nmomW=0.9\nmomB=0.9\nwc=0\nschedW=dexp[tgtFactor=10,noiseStdev=0,numSteps=2]\n"
PARAMS = (
    f"[conv1]\n{WEIGHTS}[rnd]\n{WEIGHTS}[norm]\nscale=1\npow=0.5\n[drop]\nenable=1\n[fc]\n{WEIGHTS}"
    "[logprob]\ncoeff=1\ntopk=5\n"
)
#: what a line may become, or half of one.
NOISE = "0 1 2 7 -1 3.5 , %( %(x)s %% ; # [ ] [a] = : x 1,1 conv1 fc[0] é \x00"
PIECES = st.sampled_from([*(DEFINITION + PARAMS).split("\n"), *NOISE.split(" ")])


@st.composite
def mutated(draw, text: str) -> str:
    lines = text.split("\n")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["drop", "replace", "insert", "value", "cut"]))
        piece = draw(PIECES)
        if kind == "drop":
            lines[at] = ""
        elif kind == "replace":
            lines[at] = piece
        elif kind == "insert":
            lines.insert(at, " " * draw(st.integers(0, 1)) + piece)
        elif kind == "value":
            lines[at] = lines[at].split("=")[0] + "=" + piece
        else:
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
    return "\n".join(lines)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    definition=mutated(DEFINITION),
    params=mutated(PARAMS),
    dialect=st.sampled_from(["auto", "relaxed", "2011", "2014"]),
)
def test_accepted_or_refused(tmp_path, definition, params, dialect):
    files = tmp_path / "d.cfg", tmp_path / "p.cfg"
    for path, text in zip(files, (definition, params), strict=True):
        path.write_text(text)
    warnings = []
    try:
        layers = read_net(
            *files,
            data_dims=[3 * 8 * 8, 1],
            rng=np.random.RandomState(0),
            dialect=dialect,
            warn=warnings.append,
        )
    except LayerFileError as error:
        lines = str(error).split("\n")
        assert len(lines) == len(error.problems) > 0
        assert all(re.match(r".*/[dp]\.cfg(:[1-9]\d*)?: \S", line) for line in lines)
    else:
        assert all(line.isprintable() for line in warnings)
        assert all("outputs" in layer and "quantF" in layer for layer in layers.values())


def test_the_original_is_sound(tmp_path):
    (tmp_path / "d.cfg").write_text(DEFINITION)
    (tmp_path / "p.cfg").write_text(PARAMS)
    layers = read_net(
        tmp_path / "d.cfg", tmp_path / "p.cfg", data_dims=[192, 1], rng=np.random.RandomState(0), warn=lambda line: None
    )
    assert len(layers) == 11
