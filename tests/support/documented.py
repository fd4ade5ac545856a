"""The command lines that README and docs show, as they are typed."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAM = r"(?:[A-Z_]+=\S+ )*(?:python|make|pip|pip-audit) "
BLOCK = re.compile(r"^\s*```[^\n]*\n(.*?)^\s*```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def commands():
    """The command lines of fenced blocks and of code in running text, in their order, each once."""
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
    """The Python of fenced blocks that import svdx."""
    texts = (page.read_text(encoding="utf-8") for page in PAGES)
    return [block for text in texts for block in BLOCK.findall(text) if re.search(r"^(from|import) svdx", block, re.M)]
