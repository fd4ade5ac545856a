"""Unpacking of downloaded archives: completely, once, and only into their own directory."""

import stat
import threading
import zipfile

import pytest

from svdx.errors import CorpusError
from svdx.files import archives
from svdx.files.archives import unpack

SONG = {"audio/a.ogg": "a", "labels/a.lab": "0 1 sing", "__MACOSX/labels/._a.lab": "\0", "audio/.DS_Store": "\0"}


def pack(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return path


def refusal(path):
    with pytest.raises(CorpusError) as error:
        unpack(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["../out.lab", "/tmp/out.lab", "a/../../out.lab"])
def test_paths_outside_the_directory_are_refused(tmp_path, name):
    path = pack(tmp_path / "jamando.zip", {"in.lab": "0 1 sing", name: "0 1 sing"})
    assert "would be written outside" in refusal(path)
    assert not (tmp_path / "jamando").exists()


def test_an_entry_without_a_name_is_refused(tmp_path):
    path = pack(tmp_path / "jamando.zip", {"in.lab": "0 1 sing"})
    path.write_bytes(path.read_bytes().replace(b"in.lab", b"\0n.lab"))
    assert "'' would be written outside its directory" in refusal(path)


def test_a_link_becomes_a_file_that_holds_its_target(tmp_path):
    entry = zipfile.ZipInfo("a.lab")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    unpacked = unpack(pack(tmp_path / "jamando.zip", {entry: "/etc/passwd"})) / "a.lab"
    assert not unpacked.is_symlink() and unpacked.read_text() == "/etc/passwd"


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_CORPUS_BYTES", 2**19)
    path = pack(tmp_path / "bomb.zip", {"zeros.wav": b"\0" * 2**20})
    assert path.stat().st_size < 2**19 and "its content takes 0.00 GiB, more than" in refusal(path)
    assert [entry.name for entry in tmp_path.iterdir() if not entry.name.endswith(".lock")] == ["bomb.zip"]


def test_encrypted_and_unusual_entries_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "jamando.zip", "w", zipfile.ZIP_LZMA) as target:
        target.writestr("a.lab", "0 1 sing")
    assert "'a.lab' is encrypted or compressed by an unusual method" in refusal(tmp_path / "jamando.zip")
    content = bytearray(pack(tmp_path / "secret.zip", {"a.lab": "0 1 sing"}).read_bytes())
    for position in (content.index(b"PK\3\4") + 6, content.index(b"PK\1\2") + 8):
        content[position] |= 1  # the flag of encryption
    (tmp_path / "secret.zip").write_bytes(content)
    assert "'a.lab' is encrypted or compressed by an unusual method" in refusal(tmp_path / "secret.zip")
    entry = zipfile.ZipInfo("a.lab")
    entry.extract_version = entry.create_version = 99  # of the zip format
    assert "cannot be unpacked" in refusal(pack(tmp_path / "newer.zip", {entry: "0 1 sing"}))


@pytest.mark.parametrize("damage", ["cut", "changed", "no zip"])
def test_a_damaged_archive_leaves_nothing(tmp_path, damage):
    path = pack(tmp_path / "jamando.zip", {"a.ogg": bytes(range(256)) * 8, "a.lab": "0 1 sing"})
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-40], "changed": data[:60] + b"\xff" * 8 + data[68:], "no zip": b"<html>"}[damage])
    assert "download it again" in refusal(path)
    assert [entry.name for entry in tmp_path.iterdir() if not entry.name.endswith(".lock")] == ["jamando.zip"]


def test_conflicting_entries_are_refused(tmp_path):
    path = pack(tmp_path / "jamando.zip", {"a": "a file", "a/b.lab": "and a directory"})
    assert "cannot be unpacked" in refusal(path)


def test_leftovers_of_a_killed_process_are_replaced(tmp_path):
    path = pack(tmp_path / "jamando.zip", SONG)
    (tmp_path / ".jamando.unpacking").mkdir()
    (tmp_path / ".jamando.unpacking/half.lab").write_text("0")
    unpacked = [file.relative_to(tmp_path).as_posix() for file in unpack(path).rglob("*") if file.is_file()]
    assert sorted(unpacked) == ["jamando/audio/a.ogg", "jamando/labels/a.lab"]
    assert not (tmp_path / ".jamando.unpacking").exists()


def test_concurrent_calls_unpack_once(tmp_path, caplog):
    caplog.set_level("INFO")
    path = pack(tmp_path / "jamando.zip", SONG)
    threads = [threading.Thread(target=unpack, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record.message for record in caplog.records] == [f"unpacking {path} to {tmp_path / 'jamando'}"]
