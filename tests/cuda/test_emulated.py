"""The CUDA device's kernels, run on the CPU by platform/emulation, against the oracles of tests/oracle (house plan).

In shuffled order and on poisoned memory, so that a missing barrier or a read of what nobody has written shows; under
`make sanitize` with AddressSanitizer and UBSan, so that an access out of bounds or misaligned does. Products of
matrices come from a BLAS of the CPU here; cuBLAS itself takes part on a GPU only (tests/gpu).
"""

from __future__ import annotations

from pathlib import Path

import pytest

ORACLE_TESTS = sorted((Path(__file__).parent.parent / "oracle").glob("test_*.py"))


@pytest.mark.parametrize("tests", ORACLE_TESTS, ids=lambda path: path.stem.removeprefix("test_"))
def test_operations(tests: Path, run) -> None:
    done = run("pytest", "-x", tests, "-p", "no:cacheprovider", CONVNET_TEST_DEVICE="cuda", CONVNET_TEST_EXAMPLES="12")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
