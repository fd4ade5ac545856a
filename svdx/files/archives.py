"""Unpack a downloaded zip beside itself: once, completely or not at all, and nothing outside its own directory."""

from __future__ import annotations

import logging
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from filelock import FileLock

from svdx.errors import CorpusError

MAX_BYTES = 16 * 2**30
MAX_ENTRIES = 10_000
MAX_RATIO = 100  # audio hardly shrinks, text by 10 or so, a bomb by 1000

log = logging.getLogger(__name__)


def unpack(archive: Path) -> Path:
    """The directory `<archive without .zip>`, unpacked if it does not exist yet; several processes may ask at once."""
    target = archive.with_suffix("")
    if target.is_dir():
        return target
    try:
        with FileLock(archive.with_name(f".{archive.name}.lock")):
            if not target.is_dir():  # another process may have been first
                log.info("unpacking %s to %s", archive, target)
                _unpack(archive, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise CorpusError(f"{archive}: damaged or no zip archive ({error}): download it again") from error
    except (OSError, RuntimeError) as error:  # a disk that is full or closed; a zip beyond Python's zipfile
        raise CorpusError(
            f"{archive}: cannot be unpacked ({error}): unpack it by hand and give that directory as data.root"
        ) from error
    return target


def _unpack(archive: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed: we hold the lock
    try:
        with zipfile.ZipFile(archive) as source:
            entries = [entry for entry in _safe(source, archive) if not entry.is_dir() and not _clutter(entry)]
            for entry in entries:
                path = partial / entry.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                # Reading stops at the size the entry declares, which `_safe` has bounded.
                with source.open(entry) as packed, path.open("xb") as file:
                    shutil.copyfileobj(packed, file, 2**20)
        partial.mkdir(exist_ok=True)  # an archive without files
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _safe(source: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """The archive's entries, if none of them could do harm; else a CorpusError."""
    entries = source.infolist()
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES:
        raise _refused(archive, f"it has {len(entries)} entries, more than {MAX_ENTRIES}")
    if size > MAX_BYTES:
        raise _refused(archive, f"it would grow to {size / 2**30:.1f} GiB, more than {MAX_BYTES / 2**30:g}")
    # Against the file's own size, so that entries which share their data do not count it twice.
    if size > MAX_RATIO * archive.stat().st_size:
        raise _refused(archive, f"it would grow more than {MAX_RATIO} times")
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(archive, f"{entry.filename!r} is a link or a special file")
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refused(archive, f"{entry.filename!r} is encrypted or packed in an unusual way")
        if not entry.filename:
            raise _refused(archive, "an entry has no name")
        if _escapes(entry.filename):
            raise _refused(archive, f"{entry.filename!r} would be written outside its directory")
    return entries


def _escapes(name: str) -> bool:
    # A backslash or a drive letter means nothing here, but on Windows both lead elsewhere.
    return name.startswith("/") or "\\" in name or name[1:2] == ":" or ".." in PurePosixPath(name).parts


def _clutter(entry: zipfile.ZipInfo) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(entry.filename).parts)


def _refused(archive: Path, reason: str) -> CorpusError:
    return CorpusError(
        f"{archive}: not unpacked, because {reason}: download it again, or unpack it yourself if you trust it, "
        "and give that directory as data.root"
    )
