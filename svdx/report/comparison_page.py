"""The page of a comparison, as HTML and as Markdown: what was compared, warnings, tables, figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from svdx.comparison.measures import REFERENCE, is_stratified, thirds
from svdx.comparison.statistics import SIGNIFICANT, least_p
from svdx.comparison.study import Study
from svdx.evaluation.metrics import FEWEST
from svdx.report.comparison_tables import Section
from svdx.report.page import render

FEW_TRACKS = FEW_LOCALISED = 20
ALWAYS = (
    "Masked excerpts are unlike anything the classifier was trained on, which accounts for a part of every loss. Look "
    "at several fills; an order of methods that another fill reverses (‡) is no result.",
    "E_loss rewards masks that are computed from the classifier itself: a few per cent of its inputs, speckled where "
    "its gradient is large, preserve any label and tell a listener nothing. Never rank by E_loss alone. Read it beside "
    "deletion, the voice, the regions and the sanity checks.",
)


def warnings(study: Study, split: str, changed: Sequence[str]) -> list[str]:
    """What a reader must know before the tables.

    split: of the excerpts, several joined by +; changed: options that differ from those fixed in advance
    """
    splits = split.split("+")
    found = list(ALWAYS)
    if changed and "test" in splits:
        found.append(
            f"Options differ from those fixed beforehand: {', '.join(changed)}. If they were chosen after results of "
            "the test split were seen, the comparison is optimistic. Choose on split valid."
        )
    if "train" in splits:
        found.append("excerpts.split has training tracks: classifier and inverter were trained on them.")
    if study.counts["n_tracks"] < FEW_TRACKS:
        found.append(
            f"{study.counts['n_tracks']} tracks: with so few, intervals are narrower than they should be; below "
            f"{FEWEST} there are none."
        )
    if 0 < study.localised.sum() < FEW_LOCALISED:
        found.append(f"The voice decides the label of only {study.localised.sum()} excerpts, which is weak evidence.")
    return found + insignificant(study)


def insignificant(study: Study) -> list[str]:
    """A sentence for every group of columns whose excerpts come from too few tracks for any significant difference."""
    m = len(study.methods)
    if REFERENCE not in study.methods or m < 2:
        return []
    groups = {
        "of all excerpts": np.ones(len(study.track), bool),
        "of the voice": study.localised,
        "of sanity": study.repeated,
    }
    tracks = {name: len(np.unique(study.track[where])) for name, where in groups.items() if where.any()}
    return [
        f"No star is possible in the columns {name}: with {n_tracks} tracks and {m} methods the smallest "
        f"possible p is {least_p(n_tracks, m):.2g}. Their absence means nothing; use more tracks or fewer methods."
        for name, n_tracks in tracks.items()
        if least_p(n_tracks, m) > SIGNIFICANT
    ]


def write_pages(
    directory: Path,
    corpus: str,
    origin: str,
    study: Study,
    tables: Sequence[Section],
    warnings: Sequence[str],
    shown: float,
) -> None:
    """Write compare.html and compare.md.

    origin: split and sampling of the excerpts, in words; shown: share of the bins that the figure outlines
    """
    n = study.counts
    summary = (
        f"{n['n_excerpts']} excerpts of {n['n_tracks']} tracks ({origin}), {n['n_vocal']} predicted singing, "
        f"{n['n_nonvocal']} not; the voice decides the label of {n['n_localised']}. Fills: {', '.join(study.fills)}. "
        f"Sanity on {study.repeated.sum()} excerpts."
    )
    if is_stratified(study):
        low, high = thirds(study)
        summary += (
            f" Level of the voice relative to the rest: soft below {low:.1f} dB, loud from {high:.1f} dB on (thirds)."
        )
    for kind in ("md", "html"):
        page = render(
            f"comparison.{kind}",
            title=f"Explainers side by side: {corpus}",
            summary=summary,
            sections=tables,
            warnings=warnings,
            reference=REFERENCE,
            n_shown=len(study.shown),
            best=f"{100 * shown:g}",
        )
        (directory / f"compare.{kind}").write_text(page, encoding="utf-8")
