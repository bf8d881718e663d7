"""From options to a run that is ready to start: providers, layers (new or from a checkpoint), engine (spec 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convnet_py import checkpoint, devices
from convnet_py import layers as layer_language
from convnet_py.checkpoint import Checkpoint
from convnet_py.data.providers import DataProvider, ProviderSettings, make_provider, needs_path, own_provider
from convnet_py.engines import Engine, make_engine
from convnet_py.errors import CheckpointError, DataError, UsageError
from convnet_py.options import BatchRange, Options, check_complete, flag, resume_options
from convnet_py.run import Run, logreg_layer

Warn = Callable[[str], None]

#: Independent streams of random numbers that one --seed gives.
_TRAIN_STREAM, _TEST_STREAM = 1, 2


def build_run(options: Options, warn: Warn) -> Run:
    """A run from options: a new one, or with ``-f`` the continuation of a saved one. Nothing is written.

    Raises ConvnetError for anything that is wrong with options, layer files, data or checkpoint.
    """
    saved, path, folder = None, None, None
    if options.load_file is not None:
        path = checkpoint.find(options.load_file)
        saved = checkpoint.load(path)
        if options.save_path is None:
            folder = path.absolute().parent
        options = resume_options(options, saved.options, warn)
    name = provider_name(options)
    check_complete(options, provider_needs_path=name is None or needs_path(name))
    assert name is not None
    if not options.test_only and not options.check_grads and folder is None:
        assert options.save_path is not None
        checkpoint.check_writable(options.save_path)
    train, test = make_providers(options, name, warn)
    state = _resume(options, saved, warn) if saved else Checkpoint({}, new_layers(options, train or test, warn))
    convert_layers(options, state.layers, warn)
    if options.test_out is not None:
        logreg_layer(state.layers, options.logreg_name)
    for provider in (train, test):
        _check_matrices(state.layers, provider, name)
    device = devices.choose(options.device, options.engine)
    if options.math == "tf32" and device == "cpu":
        raise UsageError("--math: tf32 is for GPUs, and the CPU computes here; --device=cuda says why")
    engine = new_engine(options, state.layers, options.engine, device, options.math)
    if saved:
        _restore_random(state, train, test)
        _restore_engine(options, state, engine, warn)
    return Run(options, state, engine, train, test, folder, path)


def new_engine(options: Options, layers: dict[str, dict[str, Any]], name: str, device: str, math: str) -> Engine:
    """The engine ``name`` for a net, as the options of the run say. Raises EngineError."""
    return make_engine(
        name,
        layers,
        device_ids=options.device_ids,
        minibatch_size=options.mini,
        weight_update_freq=options.wupdate_freq,
        seed=options.seed,
        threads=options.threads,
        transfers=options.transfers,
        exact_gradients=options.exact_gradients,
        device=device,
        math=math,
    )


def provider_name(options: Options) -> str | None:
    if options.data_provider is not None:
        return options.data_provider
    return own_provider(options.data_path) if options.data_path is not None else None


def make_providers(options: Options, name: str, warn: Warn) -> tuple[DataProvider | None, DataProvider | None]:
    """The training and the test provider; None where the run has no use for it."""

    def make(stream: int, batches: BatchRange | None) -> DataProvider:
        settings = ProviderSettings(
            path=options.data_path,
            batches=batches,
            test=stream == _TEST_STREAM,
            rng=np.random.RandomState([options.seed, stream]),
            multiview=options.multiview_test,
            crop_border=options.crop_border,
            color_noise=options.color_noise,
            pca_noise=options.pca_noise,
            scalar_mean=options.scalar_mean,
            dummy_cases=options.dummy_cases,
            dummy_classes=options.dummy_classes,
            threads=options.threads,
            warn=warn,
        )
        return make_provider(name, settings)

    if options.check_grads:
        return None, make(_TEST_STREAM, None)
    train = None if options.test_only else make(_TRAIN_STREAM, options.train_range)
    test = make(_TEST_STREAM, options.test_range)
    if options.multiview_test and test.num_views == 1:
        raise UsageError(f"--multiview-test: data provider '{name}' gives a single view of each image")
    for option in ("scalar-mean", "color-noise", "pca-noise", "crop-border", "dummy-cases", "dummy-classes"):
        if option in options.given and option not in test.uses:
            warn(f"{flag(option)} means nothing to data provider '{name}'")
    return train, test


def new_layers(options: Options, provider: DataProvider | None, warn: Warn) -> dict[str, dict[str, Any]]:
    assert provider is not None and options.layer_def is not None and options.layer_params is not None
    return layer_language.read_net(
        options.layer_def,
        options.layer_params,
        data_dims=provider.data_dims,
        num_gpus=options.num_gpus,
        batch_meta=provider.batch_meta,
        num_classes=provider.num_classes,
        rng=np.random.RandomState(options.seed),
        dialect=options.dialect,
        allow_init_functions=options.allow_init_functions,
        conserve_mem=options.conserve_mem,
        warn=warn,
    )


def _resume(options: Options, saved: Checkpoint, warn: Warn) -> Checkpoint:
    """The saved state with its layers linked and their learning parameters read anew (spec 2.5)."""
    assert options.layer_def is not None and options.layer_params is not None
    if not options.layer_def.is_file():
        raise CheckpointError(f"--layer-def: {options.layer_def}: no such file (a resumed run still names it)")
    layer_language.link(saved.layers)
    layer_language.reread_params(
        saved.layers,
        options.layer_params,
        conserve_mem=options.conserve_mem,
        warn=warn,
        dialect=options.dialect,
    )
    used = max(layer.get("gpu", -1) for layer in saved.layers.values())
    if used >= options.num_gpus:
        raise UsageError(f"--num-gpus: got {options.num_gpus}, the saved net uses device {used}")
    return saved


def convert_layers(options: Options, layers: dict[str, dict[str, Any]], warn: Warn) -> None:
    # Unshared first: what no longer shares can be converted by itself.
    if options.unshare_weights:
        layer_language.unshare_weights(layers, list(options.unshare_weights))
    if options.conv_to_local:
        layer_language.conv_to_local(layers, list(options.conv_to_local))


def _check_matrices(layers: dict[str, dict[str, Any]], provider: DataProvider | None, name: str) -> None:
    """Raise DataError where a data layer (of a saved net) asks for what the provider does not give."""
    if provider is None:
        return
    for layer in layers.values():
        if layer["type"] != "data":
            continue
        index = layer["dataIdx"]
        if index >= len(provider.data_dims):
            raise DataError(
                f"data layer '{layer['name']}': dataIdx is {index}, but provider '{name}' gives matrices 0 to "
                f"{len(provider.data_dims) - 1}"
            )
        if layer["outputs"] != provider.data_dims[index]:
            raise DataError(
                f"data layer '{layer['name']}': the net takes {layer['outputs']} values per case, the data has "
                f"{provider.data_dims[index]}"
            )


def _restore_random(state: Checkpoint, train: DataProvider | None, test: DataProvider | None) -> None:
    for provider, random in ((train, state.train_random), (test, state.test_random)):
        if provider is not None and random is not None:
            try:
                provider.set_state(random)
            except (ValueError, TypeError):
                raise CheckpointError("the checkpoint's random generator state is damaged") from None


def _restore_engine(options: Options, state: Checkpoint, engine: Engine, warn: Warn) -> None:
    if options.conv_to_local or options.unshare_weights:
        # The engine's own state is that of the net before its conversion.
        warn("the net was converted: the engine's counters and pending gradients start anew")
    elif state.engine == options.engine:
        engine.restore(state.engine_state)
