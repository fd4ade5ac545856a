"""The command lines and Python snippets of README and docs, as typed."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAM = r"(?:[A-Z_]+=\S+ )*(?:python|make|pip|pip-audit) "
BLOCK = re.compile(r"^\s*```[^\n]*\n(.*?)^\s*```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def commands():
    """Command lines of fenced blocks and of inline code, in order of appearance, without duplicates."""
    found = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in BLOCK.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                found[re.sub(r"\s#.*", "", line)] = page
        for span in SPAN.findall(BLOCK.sub("", text)):
            found[span] = page
    typed = {" ".join(line.split()): page for line, page in found.items()}
    return [line for line in typed if re.match(PROGRAM, line)]


def snippets():
    """Fenced blocks of Python that import svdx."""
    texts = (page.read_text(encoding="utf-8") for page in PAGES)
    return [block for text in texts for block in BLOCK.findall(text) if re.search(r"^(from|import) svdx", block, re.M)]
