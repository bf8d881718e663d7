"""The training loop: printed output, tests, progress, stopping, and resuming bit for bit (spec 4.2, 3.8)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from convnet_py import checkpoint
from convnet_py.checkpoint import Outcome
from convnet_py.options import BatchRange
from convnet_py.run import Diverged, mean_of_tests, next_batch, progress

BATCH_LINE = r"{}\.{}\.\.\. logprob:  \d+\.\d{{6}}, \d\.\d{{6}}"


def test_output_of_training(arguments, build_test_run, capsys):
    run = build_test_run(arguments)
    run.train()
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(BATCH_LINE.format(1, 1) + r" \(\d+\.\d{3} sec\)", lines[0])
    assert re.fullmatch(BATCH_LINE.format(1, 2), lines[1])
    assert "Test of batch 4" in lines[2]
    assert re.fullmatch(r"logprob:  \d+\.\d{6}, \d\.\d{6}", lines[3])
    assert "Mean of the last 1 tests" in lines[4]
    assert lines[5] == lines[3]
    number = r"\d\.\d{6}e[+-]\d\d"
    assert re.fullmatch(rf"Layer 'fc' weights\[0\]: {number} \[{number}\]", lines[7])
    assert re.fullmatch(rf"Layer 'fc' biases: {number} \[{number}\]", lines[8])
    assert re.fullmatch(rf"Saved checkpoint to {re.escape(str(run.folder))} \(\d+\.\d{{3}} sec\)", lines[10])
    assert re.match(r"1\.3\.\.\. ", lines[11])
    assert re.match(r"2\.1\.\.\. ", lines[12])
    assert "Test of batch 5" in lines[13]
    assert [path.name for path in checkpoint.checkpoints_in(run.folder)] == ["1.2", "2.1", "2.3", "3.2", "4.1", "4.3"]


def test_it_learns_and_reports_per_case_values(arguments, build_test_run, capsys):
    run = build_test_run(arguments)
    run.train()
    first, last = run.state.train_outputs[0], run.state.train_outputs[-1]
    assert last.per_case()["logprob"][0] < first.per_case()["logprob"][0]
    assert f"logprob:  {last.costs['logprob'][0] / 40:.6f}, " in capsys.readouterr().out


def test_test_one_off_takes_the_whole_range(arguments, build_test_run, capsys):
    run = build_test_run([*arguments, "--test-one=0"])
    run.train()
    assert {outcome.cases for outcome in run.state.test_outputs} == {80}
    assert "Test of batches 4-5" in capsys.readouterr().out


def test_test_only_prints_each_batch_and_all(arguments, build_test_run, capsys, tmp_path):
    run = build_test_run([*arguments, "--test-only=1"])
    overall = run.test()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("...")[0] for line in lines] == ["batch 4", "batch 5", "batches 4-5, 80 cases"]
    assert overall.cases == 80
    assert not (tmp_path / "save").exists()


def test_a_last_partial_period_is_saved(arguments, build_test_run):
    run = build_test_run([*arguments, "--test-freq=5"])
    run.train()
    assert [path.name for path in checkpoint.checkpoints_in(run.folder)] == ["2.2", "4.1", "4.3"]


def test_progress_reaches_the_engine(arguments, build_test_run):
    run = build_test_run(arguments)
    run.train()
    assert run.engine.progress == [position / 12 for position in range(12)]


def test_progress_is_clamped():
    assert progress(1, 10) == 0
    assert progress(10, 10) == 0.9
    assert progress(40, 10) == 1


@pytest.mark.parametrize(
    ("epoch", "batch", "expected"), [(0, 0, (1, 2)), (1, 2, (1, 3)), (1, 4, (2, 2)), (3, 9, (4, 2)), (3, 1, (4, 2))]
)
def test_next_batch(epoch, batch, expected):
    assert next_batch(epoch, batch, BatchRange(2, 4)) == expected


def test_mean_of_tests_is_plain_over_the_last_ones():
    outcomes = [Outcome({"c": [100.0]}, 1, 1), Outcome({"c": [2.0]}, 1, 2), Outcome({"c": [40.0]}, 10, 3)]
    assert mean_of_tests(outcomes, 2) == {"c": [3.0]}
    assert mean_of_tests(outcomes[:1], 2) == {"c": [100.0]}


def test_nan_stops_and_keeps_the_last_checkpoint(arguments, build_test_run, capsys):
    run = build_test_run(arguments)
    run.engine.nan_at = 4
    with pytest.raises(Diverged, match=r"2\.1: cost 'logprob' is nan, training stops; the last checkpoint is .*1\.2$"):
        run.train()
    assert "2.1... logprob:  nan" in capsys.readouterr().out
    assert [path.name for path in checkpoint.checkpoints_in(run.folder)] == ["1.2"]


class _Interrupted(Exception):
    pass


def _augmenting(run):
    """Make the training provider draw numbers, as augmentation does."""
    provider, original = run.train_provider, run.train_provider.get_batch

    def get_batch(number):
        data, labels = original(number)
        return [data + 10 * provider.rng.randn(*data.shape).astype(np.float32), labels]

    provider.get_batch = get_batch
    return run


def _same_state(one: checkpoint.Checkpoint, other: checkpoint.Checkpoint) -> None:
    assert one.train_outputs == other.train_outputs
    assert one.test_outputs == other.test_outputs
    assert one.test_batch == other.test_batch
    for key in ("weights", "weightsInc"):
        assert one.layers["fc"][key][0].tobytes() == other.layers["fc"][key][0].tobytes()
    assert (
        one.train_random[1].tobytes() == other.train_random[1].tobytes()
        and one.train_random[2:] == other.train_random[2:]
    )
    for key, array in one.engine_state.items():
        assert array.tobytes() == other.engine_state[key].tobytes()


@pytest.mark.parametrize("resume_from", ["1.2", "2.1", "3.2", "4.1"])
def test_resumed_equals_uninterrupted(arguments, build_test_run, tmp_path, resume_from):
    whole = _augmenting(build_test_run(arguments))
    whole.train()
    again = _augmenting(build_test_run(["-f", str(whole.folder / resume_from), f"--save-path={tmp_path / 'again'}"]))
    again.train()
    assert again.folder.parent == tmp_path / "again"
    _same_state(checkpoint.load(whole.folder / "4.3"), checkpoint.load(again.folder / "4.3"))


def test_resume_goes_on_in_the_same_folder(arguments, build_test_run):
    run = build_test_run([*arguments, "--epochs=2"])
    run.train()
    again = build_test_run(["-f", str(run.folder), "--epochs=3"])
    again.train()
    assert again.folder == run.folder.absolute()
    assert (run.folder / "3.3").exists()
    assert checkpoint.load(run.folder / "3.3").options["epochs"] == "3"


def test_a_save_path_on_resume_starts_a_new_folder(arguments, build_test_run, tmp_path):
    run = build_test_run([*arguments, "--epochs=2"])
    run.train()
    before = sorted(run.folder.iterdir())
    again = build_test_run(["-f", str(run.folder), "--epochs=3", f"--save-path={tmp_path / 'other'}"])
    again.train()
    assert again.folder.parent == tmp_path / "other" and (again.folder / "3.3").exists()
    assert sorted(run.folder.iterdir()) == before


def test_resume_of_a_finished_run_changes_nothing(arguments, build_test_run):
    run = build_test_run(arguments)
    run.train()
    before = {path: path.stat().st_mtime_ns for path in run.folder.iterdir()}
    build_test_run(["-f", str(run.folder)]).train()
    assert {path: path.stat().st_mtime_ns for path in run.folder.iterdir()} == before


def test_once_options_are_ignored_with_a_notice(arguments, build_test_run):
    run = build_test_run(arguments)
    run.train()
    again = build_test_run(["-f", str(run.folder), "--crop-border=9", "--seed=0"])
    assert again.options.crop_border == 4
    assert again.warnings == ["--crop-border cannot change when a run is resumed; it is ignored"]


def test_resume_reads_the_parameter_file_again(arguments, build_test_run, net):
    run = build_test_run(arguments)
    run.train()
    net[1].write_text(net[1].read_text().replace("epsW=0.00001", "epsW=0.025"))
    assert build_test_run(["-f", str(run.folder)]).state.layers["fc"]["epsW"] == [0.025]


def test_same_seed_same_weights(arguments, build_test_run):
    runs = [build_test_run([*arguments, f"--seed={seed}"]) for seed in (3, 3, 4)]
    weights = [run.state.layers["fc"]["weights"][0].tobytes() for run in runs]
    assert weights[0] == weights[1] != weights[2]


def test_the_next_batch_loads_while_the_engine_computes(arguments, build_test_run):
    run = build_test_run(arguments)
    events = []
    load, finish = run.train_provider.get_batch, run.engine.finish_batch

    def get_batch(number):
        events.append(("loaded", number))
        return load(number)

    def finish_batch():
        while len([event for event in events if event[0] == "loaded"]) < 2:
            pass
        events.append(("finished", None))
        return finish()

    run.train_provider.get_batch, run.engine.finish_batch = get_batch, finish_batch
    run.train()
    assert events[:3] == [("loaded", 1), ("loaded", 2), ("finished", None)]


def test_an_interrupt_leaves_the_last_checkpoint(arguments, build_test_run):
    run = build_test_run(arguments)
    finish, calls = run.engine.finish_batch, []

    def finish_batch():
        calls.append(1)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return finish()

    run.engine.finish_batch = finish_batch
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert checkpoint.load(checkpoint.find(Path(run.folder))).name == "1.2"
