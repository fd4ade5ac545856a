"""Griffe extension: turn svdx' docstring conventions into Markdown.

Doctests become code blocks, and lines such as `x: log-mel, [B, frames, bands]` become items of a list.
"""

import re
from typing import Any

from griffe import Extension, Object

DOCTEST = re.compile(r"^>>> .*(?:\n.*\S.*)*", re.MULTILINE)
DIRECTIVE = re.compile(r" *# doctest: .*")
ARGUMENT = re.compile(r"^([a-z]\w*(?:, [a-z]\w*)*): (?=\S)", re.MULTILINE)


def markdown(text: str) -> str:
    """The Markdown of a docstring; its first paragraph stays as it is."""
    summary, blank, rest = DIRECTIVE.sub("", text).partition("\n\n")
    prose, prompt, code = rest.partition(">>> ")
    rest = ARGUMENT.sub(r"\n* **\1**: ", prose) + prompt + code
    return summary + blank + DOCTEST.sub(r"\n```pycon\n\g<0>\n```", rest)


class Docstrings(Extension):
    """Applies `markdown` to every docstring that griffe collects."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
