"""``convnet show --write-features``: what a layer makes of the test batches, as a folder of batches (spec 4.4).

``data_batch_N`` for each test batch: ``data`` (float32, cases x outputs) and, where the provider has them, ``labels``;
``batches.meta``: ``source_model``, ``num_vis`` (the outputs), and the ``label_names`` of the data.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from convnet_py.build import build_run
from convnet_py.data.make.writer import new_folder, write_pickle
from convnet_py.errors import UsageError
from convnet_py.options import parse_texts
from convnet_py.run import Run


def write_features(load: Path, layer: str, out: Path, texts: dict[str, str], warn: Callable[[str], None]) -> None:
    """Write the outputs of ``layer`` of the net saved at ``load`` to the new folder ``out``.

    ``texts``: options of a test, which override the saved ones. Raises ConvnetError; ``out`` is then not there.
    """
    run = build_run(parse_texts({**texts, "f": str(load), "test-only": "1"}), warn)
    layers = run.state.layers
    known = [name for name, item in layers.items() if not item["type"].startswith("cost.")]
    if layer not in known:
        raise UsageError(f"--write-features: no layer '{layer}' with outputs in this net, which has {', '.join(known)}")
    with new_folder(out) as folder:
        assert run.options.test_range is not None and run.test_provider is not None
        for number in run.options.test_range:
            write_pickle(folder / f"data_batch_{number}", _features(run, run.test_provider.get_batch(number), layer))
        meta = {"source_model": str(load), "num_vis": layers[layer]["outputs"]}
        names = run.test_provider.batch_meta.get("label_names")
        write_pickle(folder / "batches.meta", {**meta, "label_names": list(names)} if names else meta)


def _features(run: Run, matrices: list[np.ndarray], layer: str) -> dict[str, object]:
    values = np.zeros((matrices[0].shape[1], run.state.layers[layer]["outputs"]), np.float32)
    run.engine.start_feature_writer(matrices, [values], [layer])
    run.engine.finish_batch()
    labelled = len(matrices) > 1 and len(matrices[1]) == 1
    return {"data": values, "labels": [int(label) for label in matrices[1][0]]} if labelled else {"data": values}
