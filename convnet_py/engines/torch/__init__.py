"""The torch engine: the same layer dictionaries executed by PyTorch on the CPU, an independent witness (spec 3).

One module per layer family, named like those of convnet_py/layers; it shares no code with the rebuilt engine.
"""

from convnet_py.engines.torch.engine import TorchEngine

__all__ = ["TorchEngine"]
