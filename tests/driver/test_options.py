"""Historic options: spelling, values, messages, what a checkpoint keeps (spec 4.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from convnet_py.errors import UsageError
from convnet_py.options import (
    DECLARATIONS,
    BatchRange,
    MissingOptions,
    Options,
    check_complete,
    describe,
    parse_arguments,
    resume_options,
    usage_table,
)


def test_defaults_are_the_historic_ones():
    options = parse_arguments([])
    assert (options.epochs, options.test_freq, options.mini, options.crop_border) == (50000, 50, 128, 4)
    assert options.test_one and not options.test_only and not options.zip_save
    assert options.device_ids == [-1]
    assert options.threads >= 1


def test_both_spellings_and_abbreviations():
    options = parse_arguments(
        ["--epochs=3", "--mini", "64", "--test-r=7", "--train", "1-5", "-f", "x/y", "--gpu", "-1"]
    )
    assert (options.epochs, options.mini) == (3, 64)
    assert options.test_range == BatchRange(7, 7)
    assert list(options.train_range) == [1, 2, 3, 4, 5]
    assert options.load_file == Path("x/y")
    assert options.gpu == (-1,)


def test_the_last_of_a_repeated_option_wins():
    assert parse_arguments(["--epochs=3", "--epochs=4"]).epochs == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs=many"], "--epochs: got 'many', takes an integer of at least 1"),
        (["--epochs=0"], "--epochs: got '0', takes an integer of at least 1"),
        (["--epochs=3.0"], "--epochs: got '3.0', takes an integer of at least 1"),
        (["--test-one=yes"], "--test-one: got 'yes', takes 0 or 1"),
        (["--train-range=5-1"], "--train-range: got '5-1', takes batch numbers a-b or a, with a <= b"),
        (["--test-range=a"], "--test-range: got 'a', takes batch numbers a-b or a, with a <= b"),
        (["--color-noise=-1"], "--color-noise: got '-1', takes a number of at least 0"),
        (["--color-noise=nan"], "--color-noise: got 'nan', takes a number of at least 0"),
        (["--gpu=0,x"], "--gpu: got '0,x', takes device numbers separated by commas, one per --num-gpus"),
        (["--engine=tensor"], "--engine: got 'tensor', takes one of rebuilt"),
        (["--device=tpu"], "--device: got 'tpu', takes one of cpu, cuda"),
        (["--transfers=usb"], "--transfers: got 'usb', takes one of peer, host"),
        (["--save-path="], "--save-path: got '', takes a path"),
        (["--test-f=1", "--test"], "option '--test' is short for several: --test-range, --test-freq, --test-one, "),
        (["--epohcs=3"], "unknown option '--epohcs'; did you mean --epochs?"),
        (["--xyzzy=3"], "unknown option '--xyzzy'; see --help"),
        (["--=3"], "unknown option '--'"),
        (["train"], "unexpected argument 'train'; options are written --name=value"),
        (["--epochs"], "--epochs needs a value"),
        (["--epochs=x", "--mini=y"], "--epochs: got 'x', takes an integer of at least 1\n--mini: got 'y', takes"),
    ],
)
def test_messages(arguments, message):
    with pytest.raises(UsageError) as caught:
        parse_arguments(arguments)
    assert str(caught.value).startswith(message)
    assert caught.value.exit_status == 2


COMPLETE = [
    "--data-path=d",
    "--train-range=1",
    "--test-range=2",
    "--save-path=s",
    "--layer-def=l",
    "--layer-params=p",
]


def test_missing_options_are_all_named_with_a_table():
    with pytest.raises(MissingOptions) as caught:
        check_complete(parse_arguments(COMPLETE[:2]))
    assert str(caught.value) == "missing: --test-range, --save-path, --layer-def, --layer-params"
    assert "--wupdate-freq" in caught.value.table


def test_what_excuses_mandatory_options():
    check_complete(parse_arguments(COMPLETE))
    check_complete(parse_arguments(COMPLETE[1:]), provider_needs_path=False)
    check_complete(parse_arguments([*COMPLETE[:1], *COMPLETE[2:3], *COMPLETE[4:], "--test-only=1"]))
    check_complete(parse_arguments([*COMPLETE[4:], "--check-grads=1", "--data-provider=dummy-lr-12"]))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--gpu=0,1"], "--gpu: got 2 devices, takes 1 (--num-gpus)"),
        (["--num-gpus=2", "--gpu=0"], "--gpu: got 1 devices, takes 2 (--num-gpus)"),
        (["--check-grads=1", "--data-provider=cifar"], "--check-grads: needs a dummy provider"),
        (["--test-out=x"], "--test-out: needs --multiview-test=1"),
    ],
)
def test_combinations_that_make_no_sense(more, message):
    with pytest.raises(UsageError) as caught:
        check_complete(parse_arguments([*COMPLETE, *more]))
    assert str(caught.value).startswith(message)


def test_one_physical_device_may_serve_two_logical_ones():
    options = parse_arguments([*COMPLETE, "--num-gpus=2", "--gpu=0,0"])
    check_complete(options)
    assert options.device_ids == [0, 0]


def test_the_table_has_every_option_once():
    first_words = [line.split()[0] for line in usage_table().splitlines()[1:]]
    assert first_words == ["-f" if name == "f" else f"--{name}" for name in DECLARATIONS]


def test_described_values_parse_again():
    given = ["--epochs=7", "--train-range=2-9", "--gpu=0,1", "--num-gpus=2", "--zip-save=1", "--color-noise=0.25"]
    options = parse_arguments(given)
    described = describe(options)
    for argument in given:
        name, text = argument.split("=")
        assert any(line.split() == [name, text] for line in described.splitlines()), argument


def test_stored_options_survive_a_resume():
    options = parse_arguments([*COMPLETE, "--epochs=7", "--gpu=-1", "--scalar-mean=0.1", "--threads=1"])
    resumed = resume_options(Options(), options.stored(), pytest.fail)
    assert resumed.stored() == options.stored()
    assert resumed.scalar_mean == 0.1
    assert resumed.layer_def == Path("l").absolute()
    assert "threads" not in resumed.given


def test_given_options_override_saved_ones_except_once():
    notices: list[str] = []
    saved = parse_arguments([*COMPLETE, "--epochs=7", "--seed=5"]).stored()
    resumed = resume_options(parse_arguments(["--epochs=9", "--seed=6"]), saved, notices.append)
    assert (resumed.epochs, resumed.seed) == (9, 5)
    assert notices == ["--seed cannot change when a run is resumed; it is ignored"]


def test_saved_options_of_another_version_are_left_out():
    assert resume_options(Options(), {"epochs": "3", "from-the-future": "1"}, pytest.fail).epochs == 3
