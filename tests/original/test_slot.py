"""The slot: importing, recognising, locking and verifying a user's tree (spec 1, rules of the slot)."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from convnet_py.original.command import original
from convnet_py.original.releases import RELEASES, recognise
from convnet_py.original.slot import Slot, SlotError
from convnet_py.original.sources import SourceError

FILES = {"src/net.cu": b"__global__ void k() {}\n", "include/net.cuh": b"#pragma once\n", "layers/a.cfg": b"[a]\r\n"}


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    return Slot(tmp_path / "slot")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "copy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "copy"


def silent(text: str) -> None:
    raise AssertionError(f"unexpected warning: {text}")


def tree_of(slot: Slot) -> dict[str, bytes]:
    return {p.relative_to(slot.tree).as_posix(): p.read_bytes() for p in slot.tree.rglob("*") if p.is_file()}


def make_tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz", "tar.xz"])
def test_every_kind_of_copy_arrives_unchanged(kind: str, slot: Slot, folder: Path, tmp_path: Path) -> None:
    if kind == "folder":
        source = folder
    elif kind == "zip":
        source = make_zip(tmp_path / "copy.zip", FILES)
    else:
        source = make_tar(tmp_path / "copy.tar", FILES, {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[kind])
    slot.import_tree(source, silent)
    assert tree_of(slot) == FILES
    slot.verify()
    assert sorted(os.listdir(slot.folder)) == ["tree", "tree.lock"]


def test_git_folders_stay_outside(slot: Slot, folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    slot.import_tree(folder, silent)
    assert tree_of(slot) == FILES


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
@pytest.mark.parametrize("top", ["", "AlexNet-main/"])
def test_a_release_is_recognised_by_its_files(release, top: str) -> None:
    files = [path + "file.txt" if path.endswith("/") else path for path in release.paths]
    found = recognise(PurePosixPath(top + path) for path in [*files, "README.md"])
    assert found.release is release and found.known
    assert found.root == PurePosixPath(top or ".")


def test_an_unknown_tree_names_what_it_lacks() -> None:
    release = RELEASES[0]
    found = recognise(PurePosixPath(path) for path in release.paths if path not in ("src/worker.cu", "include/lr.cuh"))
    assert found.release is release and not found.known
    assert found.missing == ("include/lr.cuh", "src/worker.cu")


def test_a_wrapped_tree_loses_its_wrapper(slot: Slot, tmp_path: Path) -> None:
    members = {f"top/{path}": b"x" for path in RELEASES[0].paths}
    found = slot.import_tree(make_zip(tmp_path / "a.zip", members), silent)
    assert found.known
    assert sorted(tree_of(slot)) == sorted(RELEASES[0].paths)


def test_a_changed_missing_or_added_file_is_named(slot: Slot, folder: Path) -> None:
    slot.import_tree(folder, silent)
    (slot.tree / "src" / "net.cu").write_bytes(b"__global__ void k() {;\n")
    (slot.tree / "layers" / "a.cfg").unlink()
    (slot.tree / "new.txt").write_text("")
    with pytest.raises(SlotError, match=r"changed: src/net\.cu; missing: layers/a\.cfg; added: new\.txt"):
        slot.verify()


def test_a_file_that_became_a_link_is_a_change(slot: Slot, folder: Path) -> None:
    slot.import_tree(folder, silent)
    (slot.tree / "src" / "net.cu").unlink()
    (slot.tree / "src" / "net.cu").symlink_to(folder / "src" / "net.cu")
    with pytest.raises(SlotError, match=r"changed: src/net\.cu"):
        slot.verify()


def test_links_are_left_out_and_named(slot: Slot, folder: Path) -> None:
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "all").symlink_to("/")
    warnings: list[str] = []
    slot.import_tree(folder, warnings.append)
    assert tree_of(slot) == FILES
    assert len(warnings) == 2 and all("left out" in text for text in warnings)


def test_links_in_archives_are_left_out(slot: Slot, tmp_path: Path) -> None:
    path = tmp_path / "copy.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"link{kind.decode()}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("empty.txt"))
    warnings: list[str] = []
    slot.import_tree(path, warnings.append)
    assert tree_of(slot) == {"empty.txt": b""}
    assert len(warnings) == 3


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\..\\evil"])
@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_a_member_that_leads_outside_refuses_the_archive(name: str, make, slot: Slot, tmp_path: Path) -> None:
    source = make(tmp_path / "copy", {"good.txt": b"", name: b""})
    with pytest.raises(SourceError, match="leads out of it"):
        slot.import_tree(source, silent)
    assert not slot.tree.exists() and not slot.lock.exists()
    assert not (tmp_path / "evil").exists()


def test_a_bomb_is_refused_by_its_size(slot: Slot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convnet_py.original.sources.MOST_BYTES", 1 << 20)
    source = make_zip(tmp_path / "bomb.zip", {"zeros": bytes(2 << 20)})
    with pytest.raises(SourceError, match="no release is as large"):
        slot.import_tree(source, silent)
    assert not slot.tree.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04garbage", b"\x1f\x8bnothing", b"text"])
def test_a_file_that_is_no_archive(content: bytes, slot: Slot, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SourceError):
        slot.import_tree(path, silent)
    assert not slot.tree.exists()


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_a_truncated_archive_leaves_the_slot_empty(make, slot: Slot, tmp_path: Path) -> None:
    whole = make(tmp_path / "whole", {"noise": os.urandom(100_000), **FILES}).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError):
        slot.import_tree(tmp_path / "cut", silent)
    assert not slot.folder.exists() or not os.listdir(slot.folder)


def test_an_occupied_slot_keeps_its_tree(slot: Slot, folder: Path) -> None:
    slot.import_tree(folder, silent)
    (folder / "src" / "net.cu").write_text("other")
    with pytest.raises(SlotError, match="holds a tree already"):
        slot.import_tree(folder, silent)
    assert tree_of(slot) == FILES


@pytest.mark.parametrize("lock", ["", "{}", '{"version": 1, "files": [{"path": 1}]}', '{"version": 9, "files": []}'])
def test_a_damaged_lock_is_one_line(lock: str, slot: Slot, folder: Path) -> None:
    slot.import_tree(folder, silent)
    slot.lock.write_text(lock)
    with pytest.raises(SlotError, match="damaged"):
        slot.verify()


def test_remove_empties_the_slot_and_says_when_it_is_empty(slot: Slot, folder: Path) -> None:
    slot.import_tree(folder, silent)
    slot.remove()
    assert not slot.tree.exists() and not slot.lock.exists()
    with pytest.raises(SlotError, match="no sources here"):
        slot.remove()


def test_the_commands(
    slot: Slot, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONVNET_ORIGINAL", str(slot.folder))
    for words, expected in (
        (["import", str(folder)], "3 files in"),
        (["info"], "release: unknown"),
        (["verify"], "all 3 files are as they were imported"),
        (["remove"], "empty"),
    ):
        assert original(words, silent) == 0
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize(("words", "status"), [(["verify"], 1), (["explode"], 2), ([], 2), (["import", "/nowhere"], 1)])
def test_mistakes_are_one_line(words: list[str], status: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "convnet_py.cli", "original", *words]
    environment = {**os.environ, "CONVNET_ORIGINAL": str(tmp_path / "slot")}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == status
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("convnet: ")


def test_an_unknown_tree_is_not_one_of_its_folders() -> None:
    # Two of these files are of a release, below include/.
    files = ["include/nvmatrix/nvmatrix.cuh", "src/nvmatrix/nvmatrix.cu", "src/model.cu"]
    assert recognise(map(PurePosixPath, files)).root == PurePosixPath(".")
    assert recognise(PurePosixPath("wrapped") / file for file in files).root == PurePosixPath("wrapped")
