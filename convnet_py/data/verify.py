"""``convnet data verify``: read everything in a batch folder and say what is wrong (spec 5.4)."""

from __future__ import annotations

from pathlib import Path

from convnet_py.data.batch_folder import BatchFolder
from convnet_py.data.images import decoded
from convnet_py.data.jpeg import NotDecodable
from convnet_py.errors import DataError
from convnet_py.progress import ProgressBar


def verify(path: Path) -> tuple[list[str], str]:
    """All problems of a folder, one line each, and a line that sums up. Raises DataError for what is no data folder."""
    folder = BatchFolder(path)
    problems = [f"{file}: left by something that was interrupted" for file in sorted(path.glob(".*.partial"))]
    if not folder.numbers():
        problems.append(f"{path}: has no batches")
    if "data_mean" not in folder.meta:
        problems.append(f"{folder.meta_path}: no data_mean, which all providers but the plain ones need")
    cases = 0
    with ProgressBar(len(folder.numbers()), "verifying") as bar:
        for done, number in enumerate(folder.numbers(), 1):
            try:
                cases += _verify_batch(folder, number, problems)
            except DataError as error:
                problems.append(str(error))
            bar.update(done)
    found = f"{len(problems)} problems" if problems else "no problems"
    return problems, f"{path}: {len(folder.numbers())} batches, {cases} cases: {found}"


def _verify_batch(folder: BatchFolder, number: int, problems: list[str]) -> int:
    """The cases of a batch; what is wrong with its images goes to ``problems``. Raises DataError."""
    if not folder.is_jpeg(number):
        return folder.batch(number).data.shape[1]
    batch = folder.jpeg_batch(number)
    for index, name in enumerate(batch.names):
        where = f"{folder.path}: batch {number}: {name}"
        try:
            height, width, _ = decoded(batch, index).shape
        except NotDecodable as reason:
            problems.append(f"{where} does not decode: {reason}")
            continue
        if height * width * 3 != folder.meta["num_vis"] and not folder.meta.get("no_crop"):
            problems.append(f"{where} is {width} x {height}, which is not num_vis = {folder.meta['num_vis']}")
    return len(batch.jpegs)
