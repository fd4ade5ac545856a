"""The shell around a command: closed pipes, terminals of few characters, Ctrl-C, errors in one line."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TextIO

from svdx.errors import ConfigError, SvdxError, printable

INTERRUPTED = 128 + signal.SIGINT  # exit code, as a shell reports it


def run(script: str) -> None:
    """Run the command of an entry point: for train.py svdx.commands.train, configured by conf/train.yaml.

    Everything heavy is imported within, so that Ctrl-C ends the program in one line from the beginning.
    """
    path = Path(script).resolve()
    with steady_streams():
        try:
            import hydra

            from svdx.app.arguments import as_typed

            task = import_module("svdx.app.cli").entry_point(path.stem)  # cli imports this module
            sys.argv[1:] = as_typed(sys.argv[1:])
            config = {"config_path": str(path.parent / "conf"), "config_name": path.stem}
            hydra.main(version_base="1.3", **config)(task)()
        except ConfigError as error:
            refuse(error)
        except KeyboardInterrupt:
            print("svdx: interrupted", file=sys.stderr)
            sys.exit(INTERRUPTED)


def refuse(cause: Exception) -> NoReturn:
    """End the program with an error in one line."""
    print(error_line(cause), file=sys.stderr)
    sys.exit(getattr(cause, "exit_code", 1))


def error_line(cause: Exception) -> str:
    """An error in one line; a line end in a file's name is shown as such."""
    text = str(cause) if isinstance(cause, SvdxError) else str(cause).splitlines()[0]
    return "svdx: " + printable(text.replace("\n", "\\n"))


@contextmanager
def steady_streams() -> Iterator[None]:
    """Make standard output and error tolerate a closed pipe and characters that a terminal does not know."""
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_steady, kept)
    try:
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        sys.stdout, sys.stderr = kept


class BrokenPipeSafeFile(io.FileIO):
    """A file that drops what is written after its pipe was closed."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def _steady(stream: TextIO | None) -> TextIO | None:
    """A stream over the same file. Closed streams, and those of notebooks, which have no file, stay as they are."""
    if stream is None:
        return None
    try:
        file = io.BufferedWriter(BrokenPipeSafeFile(stream.fileno(), "w", closefd=False))
    except (AttributeError, io.UnsupportedOperation):
        return stream
    return io.TextIOWrapper(file, stream.encoding, errors="backslashreplace", line_buffering=True)
