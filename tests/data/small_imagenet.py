"""A small ImageNet in tars, in the forms of ILSVRC 2012, from pictures that scikit-image and scikit-learn ship."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

#: id, wnid, words, children: three classes, two nodes above them, of which 5 has a child that 4 has already.
SYNSETS = [
    (1, "n01", "astronaut, spaceman", []),
    (2, "n02", "cat", []),
    (3, "n03", "temple", []),
    (4, "n04", "living", [1, 2]),
    (5, "n05", "thing", [2, 3]),
]
TRUTH = [2, 1, 3, 3, 2]


def pictures() -> dict[str, np.ndarray]:
    from skimage import data
    from sklearn.datasets import load_sample_images

    return {"n01": data.astronaut(), "n02": data.chelsea(), "n03": load_sample_images().images[0]}


def encoded(picture: np.ndarray, variant: int, kind: str = "JPEG") -> bytes:
    """A crop of a picture, another one for each variant, encoded."""
    cut = picture[variant * 5 : variant * 5 + 180 + variant * 3, variant * 7 :]
    stream = io.BytesIO()
    Image.fromarray(cut).save(stream, kind)
    return stream.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def make_tars(folder: Path, per_class: int = 7) -> tuple[Path, Path, Path]:
    """Training tar, validation tar and development kit. One training image is broken, one a PNG, one grey, one CMYK."""
    from scipy.io import savemat

    shown = pictures()
    train, val, kit = folder / "train.tar", folder / "val.tar", folder / "kit.tar.gz"
    with tarfile.open(train, "w") as outer:
        for wnid in ("n03", "n01", "n02"):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as archive:
                for index in range(per_class):
                    content = encoded(shown[wnid], index, "PNG" if (wnid, index) == ("n01", 2) else "JPEG")
                    if (wnid, index) == ("n02", 3):
                        content = content[: len(content) // 2]
                    if (wnid, index) in (("n02", 1), ("n02", 2)):
                        stream = io.BytesIO()
                        Image.fromarray(shown[wnid]).convert("L" if index == 1 else "CMYK").save(stream, "JPEG")
                        content = stream.getvalue()
                    add(archive, f"{wnid}_{index}.JPEG", content)
            add(outer, f"{wnid}.tar", inner.getvalue())
    names = {1: "n01", 2: "n02", 3: "n03"}
    with tarfile.open(val, "w") as archive:
        for number, label in reversed(list(enumerate(TRUTH, 1))):
            add(archive, f"ILSVRC2012_val_{number:08}.JPEG", encoded(shown[names[label]], 10 + number))
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O"), ("children", "O")]
    records = np.array([(i, w, t, len(c), np.array(c, float)) for i, w, t, c in SYNSETS], dtype=fields)
    mat = io.BytesIO()
    savemat(mat, {"synsets": records.reshape(-1, 1)})
    with tarfile.open(kit, "w:gz") as archive:
        add(archive, "ILSVRC2012_devkit_t12/data/meta.mat", mat.getvalue())
        truth = "\r\n".join(map(str, TRUTH)).encode()
        add(archive, "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", truth)
    return train, val, kit
