"""What can compute: the choice between CPU and GPU, and ``convnet devices`` (house plan, "Decisions")."""

from __future__ import annotations

from collections.abc import Sequence

from convnet_py.errors import EngineError, UsageError
from convnet_py.options import usable_cores


def choose(wanted: str | None, engine: str) -> str:
    """``wanted``, cpu or cuda; where that is None, cuda for the rebuilt engine if it can be had.

    Raises EngineError, one line that says what is missing, where the rebuilt engine's cuda is wanted and cannot be had.
    """
    if engine != "rebuilt" or wanted == "cpu":
        return wanted or "cpu"
    try:
        gpus()
    except EngineError:
        if wanted:
            raise
        return "cpu"
    return "cuda"


def gpus() -> list[dict]:
    """The GPUs that the CUDA device can use (``_device.list_gpus``). Raises EngineError: what is missing for it."""
    from convnet_py import _device

    try:
        return _device.list_gpus()
    except RuntimeError as error:
        raise EngineError(str(error)) from None


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def run_devices(arguments: Sequence[str]) -> int:
    """Print what can compute, a line each, and why no GPU can, if so."""
    from convnet_py import _device

    if arguments:
        raise UsageError(f"unexpected argument '{arguments[0]}': convnet devices takes none")
    print(f"cpu     {_device.device_name()}, {usable_cores()} threads")
    try:
        found = gpus()
    except EngineError as error:
        print(f"cuda    none: {error}")
        return 0
    for number, gpu in enumerate(found):
        print(
            f"cuda {number}  {gpu['name']}, compute capability {'.'.join(map(str, gpu['capability']))}, "
            f"{gpu['free_bytes'] / 2**30:.1f} of {gpu['total_bytes'] / 2**30:.1f} GiB free"
        )
    print(f"        driver for CUDA {_version(found[0]['driver'])}, built with {_version(found[0]['runtime'])}")
    return 0
