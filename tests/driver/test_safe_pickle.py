"""Pickles from anywhere: what is built, what is refused, and that nothing runs (spec 5.5)."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from convnet_py.data import safe_pickle
from convnet_py.errors import DataError, UsageError

VALUES = {
    "plain": ["x", b"bytes", None, True, 1.5, 2**70, -1, ("a", [2])],
    "c": np.arange(6, dtype=">f4").reshape(2, 3),
    "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.zeros((0, 3), np.uint8),
    "text": np.array(["ab", "c"]),
    "scalar": np.float32(3.5),
    "ordered": OrderedDict([("b", 1), ("a", 2)]),
}


def _same(one, other):
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and (one == other).all()
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_allowed_values_come_back(protocol):
    value = safe_pickle.loads(pickle.dumps(VALUES, protocol))
    for name, expected in VALUES.items():
        assert _same(value[name], expected), name


def test_python_2_pickle_of_a_batch():
    # {'data': array([[1, 2], [3, 4]], dtype=uint8), 'labels': [1, 0]} as Python 2's protocol 2 writes it.
    pickled = (
        b"\x80\x02}q\x00(U\x04dataq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85"
        b"U\x01b\x87Rq\x04(K\x01K\x02K\x02\x86cnumpy\ndtype\nq\x05U\x02u1K\x00K\x01\x87Rq\x06(K\x03U\x01|NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x01\xff\x03\x04tbU\x06labelsq\x07]q\x08(K\x01K\x00eu."
    )
    value = safe_pickle.loads(pickled)
    assert value["data"].tolist() == [[1, 255], [3, 4]]
    assert value["labels"] == [1, 0]


def test_old_style_option_instances_become_stand_ins():
    # An old-style instance (opcode OBJ) of options.OptionsParser with one attribute, and a class reference.
    pickled = b"(coptions\nOptionsParser\no}(U\x07optionsq\x01K\x05U\x04kindq\x02coptions\nIntegerOptionParser\nub."
    value = safe_pickle.loads(pickled)
    assert isinstance(value, safe_pickle.OptionsStandIn)
    assert value.cls.name == "OptionsParser" and value.old_style
    assert value.attributes == {"options": 5, "kind": safe_pickle.OptionsClass("options", "IntegerOptionParser")}


class _Attack:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _execute(marker: Path):
    return {
        "system": _Attack(os.system, f"touch {marker}"),
        "eval": _Attack(eval, f"open({str(marker)!r}, 'w')"),
        "open": _Attack(io.open, str(marker), "w"),
        "getattr": _Attack(getattr, "text", "upper"),
        "frombuffer": _Attack(np.load, str(marker)),
        "object array": np.array([_Attack(os.system, f"touch {marker}")], dtype=object),
        "nested": {"data": [(_Attack(os.system, f"touch {marker}"),)]},
    }


@pytest.mark.parametrize("name", _execute(Path("x")))
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_attacks_are_refused_by_name_and_do_not_run(name, protocol, tmp_path):
    marker, file = tmp_path / "marker", tmp_path / "attack"
    file.write_bytes(pickle.dumps(_execute(marker)[name], protocol))
    with pytest.raises(DataError, match="refused, because the file holds") as caught:
        safe_pickle.load(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)
    assert not marker.exists()


def test_a_refusal_names_the_global(tmp_path):
    (tmp_path / "a").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(DataError, match=r"the global os\.system"):
        safe_pickle.load(tmp_path / "a")


@pytest.mark.parametrize(
    "target", ["numpy\nndarray", "numpy\ndtype", "numpy.core.multiarray\n_reconstruct", "collections\nOrderedDict"]
)
def test_classes_cannot_be_changed_from_a_pickle(target):
    # BUILD with a slot state would set attributes of whatever lies on the stack.
    with pytest.raises((safe_pickle.Refused, TypeError, AttributeError)):
        safe_pickle.loads(b"c" + target.encode() + b"\n(N}(U\x08pollutedK\x01utb.")
    clean = np.arange(3)
    assert _same(safe_pickle.loads(pickle.dumps(clean)), clean)


def test_an_option_class_cannot_be_changed_from_a_pickle():
    with pytest.raises((safe_pickle.Refused, TypeError, AttributeError)):
        safe_pickle.loads(b"coptions\nOptionsParser\n(N}(U\x08pollutedK\x01utb.")
    assert not hasattr(safe_pickle.OptionsStandIn, "polluted")


def test_declared_sizes_are_checked():
    honest = pickle.dumps(np.zeros(4, np.uint8), 2)
    lying = honest.replace(b"K\x04\x85", b"J\xff\xff\xff\x7f\x85")
    assert lying != honest
    with pytest.raises(safe_pickle.Refused, match="declares"):
        safe_pickle.loads(lying)


def test_a_huge_memo_position_takes_no_memory():
    assert safe_pickle.loads(b"\x80\x02K\x01r" + struct.pack("<I", 2**32 - 1) + b".") == 1


def test_limits_are_raised_by_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "deep"
    file.write_bytes(b"]" * 1500 + b"a" * 1499 + b".")
    with pytest.raises(DataError, match=r"nested more than 1000 deep .CONVNET_MAX_PICKLE_DEPTH in the environment"):
        safe_pickle.load(file)
    monkeypatch.setenv("CONVNET_MAX_PICKLE_DEPTH", "2000")
    assert safe_pickle.load(file)
    monkeypatch.setenv("CONVNET_MAX_PICKLE_MB", "1")
    file.write_bytes(gzip.compress(pickle.dumps(bytes(2**20), 2)))
    with pytest.raises(DataError, match="CONVNET_MAX_PICKLE_MB in the environment raises this limit"):
        safe_pickle.load(file)
    monkeypatch.setenv("CONVNET_MAX_PICKLE_MB", "16")
    assert len(safe_pickle.load(file)) == 2**20
    monkeypatch.setenv("CONVNET_MAX_FILE_MB", "some")
    with pytest.raises(UsageError, match="CONVNET_MAX_FILE_MB: got 'some', takes an integer of at least 1"):
        safe_pickle.load(file)
    monkeypatch.setenv("CONVNET_MAX_FILE_MB", "1")
    with file.open("wb") as sparse:
        sparse.truncate(2**21)
    with pytest.raises(DataError, match=r"more than 1 MB .CONVNET_MAX_FILE_MB"):
        safe_pickle.load(file)


def test_large_and_long_files_are_within_the_limits(tmp_path):
    outcomes = [({"logprob": [1.5 * number, 2.5]}, 128) for number in range(30000)]
    value = {"outcomes": outcomes, "data": np.zeros((1000, 3000), np.uint8)}
    (tmp_path / "x").write_bytes(pickle.dumps(value, 2))
    loaded = safe_pickle.load(tmp_path / "x")
    assert loaded["outcomes"] == outcomes and loaded["data"].shape == (1000, 3000)


def test_gzip_and_zip(tmp_path):
    pickled = pickle.dumps({"a": 1}, 2)
    (tmp_path / "gz").write_bytes(gzip.compress(pickled))
    for name, member in (("zip", "data"), ("zip2", "other")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, pickled)
    for name in ("gz", "zip", "zip2"):
        assert safe_pickle.load(tmp_path / name) == {"a": 1}


@pytest.mark.parametrize("kind", ["gzip", "zip"])
def test_expansion_is_limited(kind, tmp_path):
    file = tmp_path / "bomb"
    if kind == "gzip":
        file.write_bytes(gzip.compress(bytes(10**6)))
    else:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data", bytes(10**6))
    with pytest.raises(safe_pickle.Refused, match="more than 1000 bytes"):
        safe_pickle.read_unpacked(file, limit=1000)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"\x80\x02}q",
        b"\x1f\x8b broken gzip",
        b"PK\x03\x04 broken zip",
        pickle.dumps(VALUES)[:-40],
        b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"]" * 200000 + b"a" * 199999 + b".",
    ],
)
def test_damaged_files_are_one_line(content, tmp_path):
    file = tmp_path / "damaged"
    file.write_bytes(content)
    try:
        safe_pickle.load(file)
    except DataError as error:
        assert "\n" not in str(error) and str(file) in str(error)


def test_circular_values_are_no_endless_loop():
    value: list = []
    value.append(value)
    loaded = safe_pickle.loads(pickle.dumps(value))
    assert loaded[0] is loaded
