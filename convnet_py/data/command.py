"""``convnet data make | info | verify``: batch folders from the command line (spec 5.4)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from convnet_py.errors import DataError, UsageError
from convnet_py.options import usable_cores

Warn = Callable[[str], None]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog.removeprefix('convnet ')}: {message}; see {self.prog} --help")


def run_data(arguments: Sequence[str], warn: Warn) -> int:
    """Run ``convnet data`` and return its exit status. Raises ConvnetError."""
    values = _parser().parse_args(arguments)
    return values.run(values, warn)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="convnet data", description="Make, look at and check folders of batches.")
    commands = parser.add_subparsers(required=True, metavar="make|info|verify")
    make = commands.add_parser("make", help="batches from archives and images")
    _add_makers(make.add_subparsers(required=True, metavar="cifar10|cifar100|imagenet|folder|idx|digits"))
    info = commands.add_parser("info", help="counts, sizes, class balance; a picture of mean, classes and ten images")
    info.add_argument("folder", type=Path, metavar="FOLDER")
    info.add_argument("-o", "--output", type=Path, metavar="PICTURE.png", help="where (FOLDER's name, -info.png)")
    info.set_defaults(run=_info)
    verify = commands.add_parser("verify", help="read everything in a folder; a line for whatever is wrong")
    verify.add_argument("folder", type=Path, metavar="FOLDER")
    verify.set_defaults(run=_verify)
    return parser


def _add_makers(makers: argparse._SubParsersAction) -> None:
    for name, cases in (("cifar10", "10"), ("cifar100", "100")):
        cifar = makers.add_parser(name, help=f"the CIFAR-{cases} archive for Python, or the binary one")
        cifar.add_argument("source", type=Path, metavar="ARCHIVE", help="the tar, or the folder that it unpacks to")
        if name == "cifar100":
            cifar.add_argument("--labels", choices=["fine", "coarse"], default="fine", help="which labels (fine)")
        _add_out(cifar, _cifar10 if name == "cifar10" else _cifar100)
    imagenet = makers.add_parser("imagenet", help="the tars of ILSVRC 2012 (needs the extra 'imagenet')")
    imagenet.add_argument("--train", type=Path, required=True, metavar="TAR", help="training images, a tar of tars")
    imagenet.add_argument("--val", type=Path, required=True, metavar="TAR", help="validation images")
    imagenet.add_argument("--devkit", type=Path, required=True, metavar="TAR", help="development kit, or its folder")
    folder = makers.add_parser("folder", help="a folder of images by class: FOLDER/CLASS/IMAGE")
    folder.add_argument("source", type=Path, metavar="FOLDER")
    folder.add_argument("--test", type=Path, metavar="FOLDER", help="a second such folder, of test images")
    folder.add_argument("--test-percent", type=_integer(0, 99), default=0, metavar="P",
                        help="without --test: this many of each hundred images, drawn at random (0)")  # fmt: skip
    folder.add_argument("--format", choices=["raw", "jpeg"], default="raw", help="how batches hold images (raw)")
    for maker, run in ((imagenet, _imagenet), (folder, _folder)):
        maker.add_argument("--size", type=_integer(1, 4096), default=256, help="side of the square images (256)")
        maker.add_argument("--batch-size", type=_integer(1), default=3072, help="images per batch (3072)")
        maker.add_argument("--quality", type=_integer(1, 100), default=95, help="of JPEGs (95)")
        maker.add_argument("--seed", type=_integer(0, 2**32 - 1), default=0, help="of the order of images (0)")
        maker.add_argument("--pixel-limit", type=_integer(1), default=80_000_000, help="leave out larger (80 million)")
        maker.add_argument("--threads", type=_integer(1, 1024), default=usable_cores(), help="CPU threads (all cores)")
        _add_out(maker, run)
    idx = makers.add_parser("idx", help="MNIST, Fashion-MNIST: a folder with the four IDX files, plain or gzipped")
    idx.add_argument("source", type=Path, metavar="FOLDER")
    idx.add_argument("--pad", type=_integer(0, 1000), default=0, help="black pixels to add on each side (0)")
    idx.add_argument("--names", type=_words, metavar="A,B,...", help="names of the classes (their numbers)")
    idx.add_argument("--batch-size", type=_integer(1), default=10000, help="images per batch (10000)")
    _add_out(idx, _idx)
    _add_out(makers.add_parser("digits", help="scikit-learn's handwritten digits (needs the extra 'demo')"), _digits)


def _add_out(maker: argparse.ArgumentParser, run: Callable[[argparse.Namespace, Warn], int]) -> None:
    maker.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    maker.set_defaults(run=run)


def _integer(least: int, most: int | None = None) -> Callable[[str], int]:
    takes = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= (10**9 if most is None else most):
            raise argparse.ArgumentTypeError(f"got '{text}', takes {takes}")
        return int(text)

    return parse


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise argparse.ArgumentTypeError(f"got '{text}', takes names separated by commas")
    return words


def _cifar10(values: argparse.Namespace, warn: Warn) -> int:
    from convnet_py.data.make.cifar import make_cifar10

    make_cifar10(values.source, values.out)
    return _made(values.out)


def _cifar100(values: argparse.Namespace, warn: Warn) -> int:
    from convnet_py.data.make.cifar import make_cifar100

    make_cifar100(values.source, values.out, values.labels == "coarse")
    return _made(values.out)


def _imagenet(values: argparse.Namespace, warn: Warn) -> int:
    from convnet_py.data.make.imagenet import make_imagenet

    make_imagenet(values.train, values.val, values.devkit, values.out, _settings(values, True), warn)
    return _made(values.out)


def _folder(values: argparse.Namespace, warn: Warn) -> int:
    from convnet_py.data.make.folder import make_folder

    settings = _settings(values, values.format == "jpeg")
    make_folder(values.source, values.test, values.test_percent, values.out, settings, warn)
    return _made(values.out)


def _settings(values: argparse.Namespace, jpeg: bool) -> Any:
    from convnet_py.data.make.conversion import Settings

    return Settings(
        size=values.size,
        batch_size=values.batch_size,
        seed=values.seed,
        jpeg=jpeg,
        quality=values.quality,
        pixel_limit=values.pixel_limit,
        threads=values.threads,
    )


def _idx(values: argparse.Namespace, warn: Warn) -> int:
    from convnet_py.data.make.idx import make_idx

    make_idx(values.source, values.out, pad=values.pad, names=values.names, batch_size=values.batch_size)
    return _made(values.out)


def _digits(values: argparse.Namespace, warn: Warn) -> int:
    from convnet_py.data.make.digits import make_digits

    make_digits(values.out)
    return _made(values.out)


def _made(out: Path) -> int:
    from convnet_py.data.batch_folder import BatchFolder

    folder = BatchFolder(out)
    print(f"{out}: {len(folder.numbers())} batches, provider {folder.meta['dp_type']}")
    return 0


def _info(values: argparse.Namespace, warn: Warn) -> int:
    from convnet_py.data.batch_folder import BatchFolder
    from convnet_py.data.info import describe, draw

    output = values.output or Path(f"{values.folder.absolute().name}-info.png")
    # A slip of the hand must not overwrite a batch.
    if output.suffix.lower() != ".png":
        raise UsageError(f"info: -o: got '{output}', takes a file name that ends in .png")
    folder = BatchFolder(values.folder)
    contents = describe(folder)
    print(contents.text)
    try:
        draw(folder, contents).save(output)
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror or error}") from None
    print(f"picture: {output}")
    return 0


def _verify(values: argparse.Namespace, warn: Warn) -> int:
    from convnet_py.data.verify import verify

    problems, summary = verify(values.folder)
    for problem in problems:
        warn(problem)
    print(summary)
    return 1 if problems else 0
