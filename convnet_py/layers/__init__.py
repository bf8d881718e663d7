"""The layer language: from a definition and a parameter file to layer dictionaries (spec 2).

One module per layer family; a new layer type is a class registered in its family's module (see base.py).
"""

from __future__ import annotations

# Importing a family registers its layer types.
from convnet_py.layers import (  # noqa: F401
    combine,
    conv,
    cost,
    data,
    dropout,
    fc,
    image,
    local,
    neuron,
    norm,
    pool,
    softmax,
    treefc,
)
from convnet_py.layers.links import conv_to_local, link, unshare_weights
from convnet_py.layers.reader import read_net, reread_params

__all__ = ["conv_to_local", "link", "read_net", "reread_params", "unshare_weights"]
