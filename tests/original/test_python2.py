"""Python 2's C interface on Python 3, as the historic sources use it (spec 6.5)."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from small_engine import HERE, compile_module


def load(path: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader("_ConvNet", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("_ConvNet", path, loader=loader))
    loader.exec_module(module)
    return module


def compiled(folder: Path, *definitions: str) -> Path:
    return compile_module(
        folder / "_ConvNet.so", HERE / "python2" / "texts_and_numbers.cpp", definitions=tuple(definitions)
    )


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return load(compiled(tmp_path_factory.mktemp("python2")))


@pytest.mark.parametrize("text", ["", "conv1", "größer"])
def test_texts(module: ModuleType, text: str) -> None:
    assert module.text_of(text) == text


@pytest.mark.parametrize(("value", "error"), [(b"bytes", TypeError), (5, TypeError), ("a\0b", ValueError)])
def test_what_is_no_text(module: ModuleType, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        module.text_of(value)


def test_numbers(module: ModuleType) -> None:
    assert module.int_of(-3) == -3 and module.int_of(True) == 1
    # Python's own macro would read an int's memory as a float's.
    assert module.float_of(2) == 2.0 and module.float_of(0.5) == 0.5
    for function, value in ((module.int_of, "3"), (module.float_of, "3"), (module.int_of, 2**70)):
        with pytest.raises((TypeError, OverflowError)):
            function(value)


def test_arrays(module: ModuleType) -> None:
    assert module.is_array(np.zeros((3, 5), np.float32)) == (3, 20)
    with pytest.raises(TypeError):
        module.is_array([1, 2])


@pytest.mark.parametrize("initialiser", ["void INITNAME()", 'extern "C" void INITNAME()'])
def test_every_way_to_write_the_initialiser(initialiser: str, tmp_path: Path) -> None:
    assert load(compiled(tmp_path, f"-DINITIALISER={initialiser}")).int_of(1) == 1


@pytest.mark.parametrize(
    ("definition", "error", "message"),
    [("-DFAILS", RuntimeError, "no luck"), ("-DMAKES_NONE", ImportError, "makes no module")],
)
def test_an_initialiser_that_fails(definition: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        load(compiled(tmp_path, definition))
