"""From the shell to a command and back: streams whose reader may go, Ctrl-C, words as people type them."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NoReturn, TextIO

from svdx.errors import ConfigError, SvdxError, printable

INTERRUPTED = 128 + signal.SIGINT  # exit code, as a shell reports it


def run(script: str) -> None:
    """Run the command of an entry point: of train.py that of svdx.commands.train, configured by conf/train.yaml.

    The command is imported here, which takes seconds, so that Ctrl-C is listened to from the beginning.
    """
    path = Path(script).resolve()
    with steady_streams():
        try:
            import hydra

            sys.argv[1:] = _as_typed(sys.argv[1:])
            main = import_module(f"svdx.commands.{path.stem}").main
            hydra.main(version_base="1.3", config_path=str(path.parent / "conf"), config_name=path.stem)(main)()
        except KeyboardInterrupt:
            print("svdx: interrupted", file=sys.stderr)
            sys.exit(INTERRUPTED)


def _as_typed(words: list[str]) -> list[str]:
    from svdx.app.arguments import as_typed

    try:
        return as_typed(words)
    except ConfigError as error:
        refuse(error)


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
    """While a reader that goes away, and letters that a terminal does not know, stop nobody who writes."""
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_steady, kept)
    try:
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        sys.stdout, sys.stderr = kept


class Steady(io.FileIO):
    """A file whose reader may go: what is written afterwards is dropped."""

    def write(self, data: bytes | memoryview) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def _steady(stream: TextIO | None) -> TextIO | None:
    """A stream over the same file; a closed one, and one of a notebook, which is over none, as they are."""
    try:
        file = io.BufferedWriter(Steady(stream.fileno(), "w", closefd=False))
    except (AttributeError, io.UnsupportedOperation):
        return stream
    return io.TextIOWrapper(file, stream.encoding, errors="backslashreplace", line_buffering=True)
