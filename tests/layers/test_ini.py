"""The file syntax against the answers of Python 2.7's SafeConfigParser, committed in ini_cases.json (spec 2.1).

No difference is wanted except that errors name every bad line at once and that a byte-order mark is called one.
Regenerate the table with make_ini_cases.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convnet_py.errors import LayerFileError
from convnet_py.layers.ini import InterpolationError, read_ini

CASES = json.loads((Path(__file__).parent / "ini_cases.json").read_text())


def historic(text: str) -> str:
    """A byte string of Python 2, stored as Latin-1, as our reader names it."""
    content = text.encode("latin-1")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return text


@pytest.mark.parametrize("case", CASES, ids=[repr(case["text"])[:60] for case in CASES])
def test_reads_what_python_2_reads(case, tmp_path):
    path = tmp_path / "x.cfg"
    path.write_bytes(case["text"].encode("latin-1"))
    if "error" in case["answer"]:
        with pytest.raises(LayerFileError) as caught:
            read_ini(path)
        assert [problem.line for problem in caught.value.problems] == case["answer"]["error"]
        return
    ini = read_ini(path)
    found = []
    for section in ini.sections:
        values = {}
        for key in ini.keys(section):
            try:
                values[key] = ini.get(section, key).text
            except InterpolationError:
                values[key] = None
        found.append([section, values])
    expected = [
        [historic(name), {historic(k): v if v is None else historic(v) for k, v in values.items()}]
        for name, values in case["answer"]["sections"]
    ]
    assert found == expected


def test_values_know_their_lines(tmp_path):
    path = tmp_path / "x.cfg"
    path.write_text("# c\n[a]\nk=1\n 2\n\n[b]\nl=3\n[a]\nk=4\n")
    ini = read_ini(path)
    assert ini.get("a", "k") == ("4", 9)
    assert ini.get("b", "l").line == 7
    assert ini.lines == {"a": 2, "b": 6}


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(LayerFileError, match=r"nope\.cfg: cannot be read: No such file"):
        read_ini(tmp_path / "nope.cfg")


def test_byte_order_mark_is_named(tmp_path):
    path = tmp_path / "x.cfg"
    path.write_bytes(b"\xef\xbb\xbf[a]\nk=1\n")
    with pytest.raises(LayerFileError, match=r"x.cfg:1: starts with a byte-order mark"):
        read_ini(path)
