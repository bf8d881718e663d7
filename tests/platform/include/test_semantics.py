"""The numbered semantics of spec 6.3; each is a case of cases/semantics.cpp, but for 12: test_conv.py, halves."""

from __future__ import annotations

import pytest
from platform_library import CaseFailed, Platform

#: case -> the line that it must fail with, for what is refused.
SEMANTICS = {
    "6.3.1: resize(like) takes the flag, equal counts keep memory": None,
    "6.3.1: an unchanged size is a no-op on a view": None,
    "6.3.1: another size of a view is refused": "a view of 2 x 3 cannot become 3 x 3",
    "6.3.2: transpose() and transpose(bool) swap dimensions and flag, setTrans the flag alone": None,
    "6.3.2: transpose(target) keeps the source's flag, flipTrans changes it": None,
    "6.3.3: add(b, 0, s) takes b's size and flag and reads nothing old": None,
    "6.3.3: add(b, 1, s) to another size is refused": "a matrix of 2 x 3 where 3 x 2 is needed",
    "6.3.4: addSum keeps contents of an equal count, and the flag": None,
    "6.3.5: addProduct with scaleThis 0 resizes and reads nothing old": None,
    "6.3.5: addProduct accepts views": None,
    "6.3.5: an empty or truncated matrix is contiguous": None,
    "6.3.6: copyToHost keeps the host's order, or takes the device's": None,
    "6.3.7: one matrix in two roles": None,
    "6.3.8: returned references are heap objects; a clone is a view of its own dimensions and flag": None,
    "6.3.9: any thread may copy, transpose and flip": None,
    "6.3.9: memory goes back to the device that owns it": None,
    "6.3.10: getDeviceID follows cudaSetDevice, in each thread": None,
    "6.3.10: virtual ids of one physical device": None,
    "6.3.10: a device that there is not is refused": "device 99 cannot be used: ",
    "6.3.11: a HostNVMatrix is an NVMatrix in host memory": None,
    "seeds: a common seed, other draws for each device": None,
}


@pytest.mark.parametrize("name", SEMANTICS)
def test_semantics(platform: Platform, name: str) -> None:
    refused = SEMANTICS[name]
    if refused is None:
        platform.run(name)
        return
    with pytest.raises(CaseFailed, match=refused):
        platform.run(name)
