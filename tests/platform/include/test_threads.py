"""Queue, Thread, ThreadSynchronizer and the helper headers (spec 6.1)."""

from __future__ import annotations

import pytest
from platform_library import CaseFailed, Platform

#: case -> the line that it must fail with, for what is refused.
THREADS = {
    "Queue: first in, first out": None,
    "Queue: many producers, a consumer that waits": None,
    "Queue: dequeue gives up the interpreter's lock": None,
    "Thread(joinable)": None,
    "Thread(not joinable)": r"join\(\) of a thread that was made not joinable",
    "Thread(joinable, cpus)": None,
    "ThreadSynchronizer(numThreads)": None,
    "checkCudaErrors(expression)": r"threads.cpp:\d+: cudaSetDevice\(99\): CUDA error 101: ",
    "getLastCudaError(message)": r"threads.cpp:\d+: after the kernel: CUDA error 101: ",
    "cutilSafeCall(expression)": r"threads.cpp:\d+: cudaSetDevice\(99\): CUDA error 101: ",
    "cutilCheckMsg(message)": r"threads.cpp:\d+: after the kernel: CUDA error 101: ",
    "cutilDeviceSynchronize()": None,
    "sdkTimer": None,
}


@pytest.mark.parametrize("name", THREADS)
def test_threads(platform: Platform, name: str) -> None:
    refused = THREADS[name]
    if refused is None:
        platform.run(name)
        return
    with pytest.raises(CaseFailed, match=refused):
        platform.run(name)
