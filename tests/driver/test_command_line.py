"""The command line as a user types it: one line per mistake, exit status, nothing written or overwritten (spec 4.1)."""

from __future__ import annotations

import os
import pickle
import signal
import time

import numpy as np
import pytest
from small_data import make_batch, write_pickle

from convnet_py import checkpoint


def complaint(result, status: int) -> list[str]:
    """The lines of complaint of a failed command."""
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert lines and all(line.startswith("convnet: ") for line in lines), result.stderr
    return lines


def test_missing_options_print_the_table(historic):
    result = historic("--epochs=3")
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert lines[0].startswith("convnet: missing: --data-path, --train-range, --test-range, --save-path, --layer-def")
    assert lines[1].split() == ["OPTION", "DESCRIPTION", "DEFAULT"]
    assert "Traceback" not in result.stderr


def test_a_wrong_option(historic, arguments):
    assert complaint(historic(*arguments, "--mini=lots"), 2) == [
        "convnet: --mini: got 'lots', takes an integer of at least 1"
    ]


def test_a_missing_layer_file(historic, arguments, tmp_path):
    (tmp_path / "layers.cfg").unlink()
    lines = complaint(historic(*arguments), 1)
    assert len(lines) == 1 and str(tmp_path / "layers.cfg") in lines[0]


def test_all_mistakes_of_a_layer_file_at_once(historic, arguments, net):
    text = net[0].read_text()
    text = text.replace("inputs=data", "inputs=dta").replace("type=softmax", "type=sofmax")
    net[0].write_text(text.replace("initW=0.001", "initW=small"))
    lines = complaint(historic(*arguments), 1)
    assert len(lines) >= 3
    assert any("dta" in line for line in lines)
    assert any("sofmax" in line for line in lines)
    assert any("small" in line for line in lines)


def test_a_folder_without_metadata(historic, arguments, data_folder):
    (data_folder / "batches.meta").unlink()
    for given in (arguments, [*arguments, "--data-provider=cifar"]):
        lines = complaint(historic(*given), 1)
        assert lines == [f"convnet: {data_folder}: no batches.meta in this folder, so it is not a data folder"]


def test_no_data_folder(historic, arguments, tmp_path):
    lines = complaint(historic(*arguments, f"--data-path={tmp_path / 'nowhere'}"), 1)
    assert lines == [f"convnet: {tmp_path / 'nowhere'}: no such data folder"]


def test_an_attack_in_the_metadata(historic, arguments, data_folder, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'marker'}",)

    write_pickle(data_folder / "batches.meta", {"num_vis": Attack()})
    lines = complaint(historic(*arguments), 1)
    assert len(lines) == 1 and "system" in lines[0] and "refused" in lines[0]
    assert not (tmp_path / "marker").exists()


def test_an_unknown_provider(historic, arguments):
    lines = complaint(historic(*arguments, "--data-provider=cifer"), 2)
    assert len(lines) == 1 and "takes one of" in lines[0]


def test_a_save_path_that_is_a_file(historic, arguments, tmp_path):
    (tmp_path / "file").write_text("precious")
    lines = complaint(historic(*arguments, f"--save-path={tmp_path / 'file'}"), 1)
    assert lines == [f"convnet: --save-path: {tmp_path / 'file'} is not a folder"]
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"model_state": {}})])
def test_a_foreign_checkpoint(historic, arguments, tmp_path, content):
    (tmp_path / "1.1").write_bytes(content)
    lines = complaint(historic("-f", str(tmp_path / "1.1"), *arguments), 1)
    assert len(lines) == 1 and str(tmp_path / "1.1") in lines[0]
    assert (tmp_path / "1.1").read_bytes() == content


def test_a_failed_start_writes_nothing(historic, arguments, data_folder, tmp_path):
    (data_folder / "data_batch_3").unlink()
    lines = complaint(historic(*arguments), 1)
    assert lines == [f"convnet: --train-range 1-3: {data_folder} has no batch 3 (it has 1, 2, 4, 5)"]
    assert not (tmp_path / "save").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0] * 39 + [77]}, "label 77 of case 39 is out of range"),
        ({"data": np.full((12, 40), np.nan, np.float32)}, "data holds nan"),
        ({"data": np.zeros((13, 40), np.uint8)}, "data is 13 x 40"),
    ],
)
def test_bad_data_found_while_training(historic, arguments, data_folder, change, message, tmp_path):
    write_pickle(data_folder / "data_batch_3", {**make_batch(3), **change})
    result = historic(*arguments)
    lines = complaint(result, 1)
    assert len(lines) == 1 and message in lines[0] and "data_batch_3" in lines[0]
    # What was saved before the bad batch stays.
    assert [path.name for path in (tmp_path / "save").glob("*/*")] == ["1.2"]


def test_help_and_version(convnet, historic):
    for result, word in (
        (historic("--help"), "--wupdate-freq"),
        (convnet("--help", module="convnet_py.shownet"), "--show-cost"),
        (convnet("train", "--help"), "--wupdate-freq"),
        (convnet("--help"), "demo"),
        (convnet(), "demo"),
        (convnet("--version"), "convnet "),
    ):
        assert result.returncode == 0 and word in result.stdout
        assert result.stderr == ""


def test_an_unknown_subcommand(convnet):
    assert complaint(convnet("trian"), 2) == ["convnet: unknown subcommand 'trian'; did you mean train?"]


def test_a_reader_that_goes_away_is_no_error(start):
    process = start("train", "--help")
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr.read() == ""
    process.stderr.close()


def test_an_interrupt_is_one_line_and_keeps_the_checkpoint(start, arguments, tmp_path):
    process = start(*arguments, "--epochs=100000", "--test-freq=1000", module="convnet_py.convnet")
    deadline = time.monotonic() + 60
    for _ in process.stdout:
        if list((tmp_path / "save").glob("*/*")) or time.monotonic() > deadline:
            break
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.splitlines() == ["convnet: interrupted; what was saved stays as it is"]
    (kept,) = (tmp_path / "save").glob("*")
    assert checkpoint.load(checkpoint.find(kept)).train_outputs
    assert not list(kept.glob(".*"))
