"""The small tree of these tests as an extension, built by g++ alone, and a net and batches for it."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent

#: Compiler options that `make sanitize` sets.
SANITIZED = os.environ.get("CONVNET_TEST_SANITIZERS", "").split()
CHECKOUT = HERE.parent.parent

#: Rows of each data layer, outputs of the fc layer.
ROWS, OUTPUTS = (3, 1), 2


def compile_module(target: Path, *sources: Path, definitions: tuple[str, ...] = ()) -> Path:
    """Compile a Python-2 style module named _ConvNet from ``sources`` with the shim and the platform's matrices."""
    numpy_headers = np.get_include()
    command = ["g++", "-shared", *SANITIZED, "-fPIC", "-std=c++17", "-w", "-UNDEBUG", "-fvisibility=hidden", "-pthread"]
    command += ["-DNUMPY_INTERFACE", "-DMODELNAME=_ConvNet", "-DINITNAME=init_ConvNet", *definitions]
    command += [f"-I{CHECKOUT / 'platform' / 'python2'}", f"-I{CHECKOUT / 'platform' / 'include'}"]
    command += [
        f"-I{sysconfig.get_paths()['include']}",
        f"-I{numpy_headers}",
        "-Wl,--wrap=exit,--wrap=time,--wrap=srand",
    ]
    ours = ("platform/python2/module.cpp", "platform/source/matrix.cpp", "platform/source/failure.cpp")
    command += ["-x", "c++", *map(str, sources), *(str(CHECKOUT / name) for name in (*ours, "original/process.cpp"))]
    subprocess.run([*command, "-o", str(target)], check=True)
    return target


def make_layers() -> dict[str, dict[str, Any]]:
    """Layer dictionaries of data, labels, fc, softmax and logreg, in an order that is not the alphabet's."""

    def layer(name: str, kind: str, inputs: list[str], outputs: int, **more: Any) -> dict[str, Any]:
        common = {
            "name": name, "type": kind, "inputs": inputs, "outputs": outputs, "gpu": 0, "gradConsumer": False,
            "actsTarget": -1, "actsGradTarget": -1, "conserveMem": False,
        }  # fmt: skip
        plain = {"type": "default", "params": {}}
        return common | {"quantF": plain, "quantB": plain, "numInputs": [], "inputLayers": [object()]} | more

    plain = {"type": "default", "params": {}}
    weights = np.arange(ROWS[0] * OUTPUTS, dtype=np.float32).reshape(ROWS[0], OUTPUTS)
    learning = {
        "weights": [np.asfortranarray(weights)], "weightsInc": [np.zeros_like(weights, order="F")],
        "biases": np.zeros((1, OUTPUTS), np.float32), "biasesInc": np.zeros((1, OUTPUTS), np.float32),
        "schedW": {"type": "dexp", "params": {"tgtFactor": 10, "noiseStdev": 0, "numSteps": 2.0}}, "schedB": plain,
        "momW": [0.9], "momB": 0.9, "epsW": [1], "epsB": 1, "wc": [0], "wballNormed": [0], "superEps": 0,
        "superMom": 0, "weightSourceLayers": [""], "weightSourceMatrixIndices": [-1],
    }  # fmt: skip
    layers = [
        layer("pixels", "data", [], ROWS[0], dataIdx=0, gpu=-1),
        layer("labels", "data", [], ROWS[1], dataIdx=1, gpu=-1),
        layer("fc", "fc", ["pixels"], OUTPUTS, **learning),
        layer("a", "softmax", ["fc"], OUTPUTS),
        layer("cost", "cost.logreg", ["labels", "a"], 1, coeff=1, topk=1, numInputs=[1, OUTPUTS]),
    ]
    return {item["name"]: item for item in layers}


def make_data(first: float = 0, cases: int = 4) -> list[np.ndarray]:
    """A batch: ``first`` is what the small tree is asked to do (see model.cu), 10 in another place for the sum."""
    data = [np.zeros((rows, cases), np.float32) for rows in ROWS]
    data[0][0, 0], data[0][1, 1] = first, 10
    return data
