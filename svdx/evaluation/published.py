"""The curves that the authors published, for comparison on the same corpus with the same masking."""

from __future__ import annotations

import csv
from importlib.resources import files

NAMES = {
    ("authors-2017", "salient"): "the paper's Figure 5 (2017)",
    ("authors-2017", "random-blocks"): "the authors' random blocks (2017)",
    ("released-2019", "salient"): "the released program (2019)",
    ("released-2019", "complement"): "the released program (2019)",
}


def published(data: str, keep: str, fill: str) -> dict[str, list[dict[str, float]]]:
    """Published curves by name: rows of threshold, explanation_loss_percent, relative_area_percent.

    Empty if none was published. The authors' random blocks are compared with keep=salient.

    >>> list(published("jamendo", "complement", "mean"))
    ['the released program (2019)']
    """
    text = (files("svdx.evaluation") / "published_curves.csv").read_text(encoding="utf-8")
    curves: dict[str, list[dict[str, float]]] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        kept = {keep, "random-blocks"} if keep == "salient" else {keep}
        if row["dataset"] == data and row["fill"] == fill and row["keep"] in kept:
            columns = ("threshold", "explanation_loss_percent", "relative_area_percent")
            name = NAMES[row["source"], row["keep"]]
            curves.setdefault(name, []).append({column: float(row[column]) for column in columns})
    return curves
