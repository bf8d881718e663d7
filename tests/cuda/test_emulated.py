"""The CUDA device's kernels, run on the CPU by platform/emulation, against the oracles of tests/oracle (house plan).

In shuffled order, on poisoned memory and with work put off, so that a missing barrier, a missing wait or a read of what
nobody has written shows; under `make sanitize` with AddressSanitizer and UBSan, so that an access out of bounds or
misaligned does. Products of matrices come from a BLAS of the CPU here; cuBLAS itself takes part on a GPU only
(tests/gpu). Convolutions run in TensorFloat-32 too. So do whole nets, by the tests that a GPU is tested with.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ORACLES = Path(__file__).parent.parent / "oracle"
GPU = ORACLES.parent / "gpu" / "test_gpu.py"
RUNS = [(path, "cuda") for path in sorted(ORACLES.glob("test_*.py")) if path.stem != "test_tf32"]
RUNS += [(ORACLES / f"test_{name}.py", "tf32") for name in ("conv", "tf32")]


@pytest.mark.parametrize(("tests", "place"), RUNS, ids=[f"{p.stem.removeprefix('test_')}-{place}" for p, place in RUNS])
def test_operations(tests: Path, place: str, run) -> None:
    done = run("pytest", "-x", tests, "-p", "no:cacheprovider", CONVNET_TEST_DEVICE=place, CONVNET_TEST_EXAMPLES="12")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]


# Not those of a thousand minibatches: in which digits are learned, and gradients checked against differences.
@pytest.mark.parametrize(
    "tests",
    ["agrees and not alexnet", "alexnet", "not agrees and not learned and not differences"],
    ids=["small nets", "alexnet", "others"],
)
def test_what_a_gpu_is_tested_with(tests: str, run) -> None:
    done = run("pytest", "-x", "-rs", GPU, "-k", tests, "-p", "no:cacheprovider", CONVNET_TEST_CASES="4",
               CONVNET_WITNESS_MEMORY=str(2**30))  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    # Nothing is skipped but for a library that is not here, or knows no CUDA.
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all("could not import" in line or "PyTorch has no CUDA" in line for line in skipped), done.stdout
    assert re.search(r"\d+ passed", done.stdout), done.stdout
