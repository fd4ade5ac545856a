"""What the page shows of the rows: a section a question, a line a method, the best of each column marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan

from svdx.comparison.measures import DELETION, EMPTY, GAIN, LOSS
from svdx.comparison.results import Found
from svdx.comparison.reversals import reversed_by_fill

LOW, HIGH, NEITHER = "↓", "↑", ""  # which is better
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Column:
    """One column: title, what its cells are of, which values are better, how they are written; and by which fills the
    order of methods is to be the same, or is marked. alike: do the methods' values mean the same, to be compared?"""

    title: str
    metric: str
    fill: str = ""
    area: float | None = None
    of: str = "all"
    better: str = NEITHER
    form: str = "{:.2f}"
    fills: Sequence[str] = ()
    alike: bool = True

    @property
    def head(self) -> str:
        return f"{self.title} {self.better}".strip()


@dataclass(frozen=True)
class Cell:
    """A value and its interval as text. best: of its column; differs: from the reference, p < 0.05 after correction;
    turns: the order with another method turns round with the fill"""

    text: str
    interval: str = ""
    best: bool = False
    differs: bool = False
    turns: bool = False

    @property
    def marks(self) -> str:
        """What stands behind the value."""
        return "*" * self.differs + "‡" * self.turns


@dataclass(frozen=True)
class Section:
    """A table: columns' heads, and each method's cells, in order. under: what is said below it"""

    title: str
    note: str
    heads: list[str]
    lines: dict[str, list[Cell]]
    under: list[str] = field(default_factory=list)


def sections(found: Found, fills: list[str], area: float, layers: list[str], training: dict[str, str]) -> list[Section]:
    """The page's tables. area: at which the columns are that need one; layers: how far down the classifier was drawn
    anew; training: seconds of training a method needed, as text"""
    made = [
        _section(found, *_faithful(fills, area, found.headline)),
        _section(found, *_localised(area)),
        _section(found, *_sane(area, layers, retrained(found))),
        _section(found, *_cheap(found)),
    ]
    first, *_, last = made
    first.under.append(_nothing_kept(found, fills))
    for name in found.methods:
        last.lines[name].append(Cell(training.get(name, "–")))
    last.heads.append("training (s)")
    return [section for section in made if any(cell.text != "–" for line in section.lines.values() for cell in line)]


def retrained(found: Found) -> bool:
    """Were inverters trained for the classifiers that forgot?"""
    return any(key[1].startswith("retrained_") for key in found.rows)


def _faithful(fills: list[str], area: float, of: str) -> tuple[str, str, list[Column]]:
    at, fill = f"at {100 * area:g} %", fills[0]
    columns = [
        Column(f"E_loss {at}", LOSS, fill, area, of, LOW, "{:.1f}"),
        Column("E_loss, pooled", LOSS, fill, area, "all", LOW, "{:.1f}"),
        Column("E_loss, singing", LOSS, fill, area, "vocal", LOW, "{:.1f}"),
        Column("E_loss, no singing", LOSS, fill, area, "nonvocal", LOW, "{:.1f}"),
        Column("E_loss, area", "loss_auc", fill, None, of, LOW, "{:.1f}"),
        Column("E_loss, log area", "loss_auc_log", fill, None, of, LOW, "{:.1f}", fills),
        Column(f"gain over random {at}", GAIN, fill, area, of, HIGH, "{:.1f}"),
        Column(f"deletion {at}", DELETION, fill, area, of, HIGH, "{:.1f}"),
        Column("deletion, log area", "deletion_auc_log", fill, None, of, HIGH, "{:.1f}", fills),
    ]
    words = {"balanced": "the mean of both classes", "all": "all excerpts"}[of]
    note = (
        f"Per cent, over {words} unless the column says otherwise. E_loss: labels that change when only the best "
        f"bins are kept, the rest filled (fill={fill}). Deletion: labels that change when they are removed. Area: "
        "under the curve over the share of bins, from none to all, and over its logarithm, from the least share."
    )
    return "Faithfulness at equal area", note, columns


def _nothing_kept(found: Found, fills: list[str]) -> str:
    """A sentence with the empty mask's losses."""
    said = []
    for fill in fills:
        here = (found.value(EMPTY, LOSS, fill, 0.0, of) for of in (found.headline, "vocal", "nonvocal"))
        both, singing, none = ("–" if isnan(value) else f"{value:.1f}" for value in here)
        said.append(f"fill={fill} {both} (singing {singing}, no singing {none})")
    return f"E_loss of the empty mask, every bin filled: {'; '.join(said)}. The other labels are the fill's own."


def _localised(area: float) -> tuple[str, str, list[Column]]:
    at = f"at {100 * area:g} %"
    columns = [
        Column(f"voice {at}", "voice_share", area=area, better=HIGH),
        *(
            Column(f"{third} voice", "voice_share", area=area, of=f"voice_{third}", better=HIGH)
            for third in ("soft", "middle", "loud")
        ),
        Column("enrichment", "voice_enrichment", area=area, better=HIGH),
        Column("voice IoU", "voice_iou", better=HIGH),
        Column("pointing game", "pointing_game", better=HIGH),
        Column("relevance mass", "relevance_mass", alike=False),
        Column("relevance rank", "relevance_rank", better=HIGH),
    ]
    note = (
        "Excerpts called singing whose label changes when the voice is taken out. Voice: share of the kept energy that "
        "is voice; enrichment: that over the whole excerpt's share. The other columns compare with the ideal binary "
        "mask (voice louder than the rest), voice IoU and relevance rank with as many best bins as it has. Relevance "
        "mass, the share of what is above 0, hangs on where a method has its 0: it is not compared between methods."
    )
    return "Is it on the voice?", note, columns


def _sane(area: float, layers: list[str], own: bool) -> tuple[str, str, list[Column]]:
    at = f"at {100 * area:g} %"
    columns = [
        Column(f"regions {at}", "regions", area=area, better=LOW, form="{:.1f}"),
        Column("largest region", "largest_region", area=area, better=HIGH),
        *(Column(f"{layer} random: abs ρ", f"randomised_abs_spearman/{layer}", better=LOW) for layer in layers),
        *(Column(f"{layer} random: IoU", f"randomised_iou/{layer}", better=LOW) for layer in layers[-1:]),
        *(Column(f"retrained, {layer}: abs ρ", f"retrained_abs_spearman/{layer}", better=LOW) for layer in layers),
        Column("deterministic", "deterministic", better=HIGH),
        Column("stable: ρ", "stability", better=HIGH),
    ]
    note = (
        "Regions: connected pieces of the mask, corners touching, and the largest one's share of it; a method that "
        "scores blocks has ties, whose drawn order speckles its last block. Random: "
        "the classifier's layers from the output down to this one have their weights shuffled, several times; ρ is "
        "Spearman's correlation with the explanation of the trained classifier, whose sign does not count (the turned "
        "one is the same), IoU that of the best bins: an explanation of what was learned must change. Methods "
        "that hear the classifier through FC8 alone do not know fc9: ρ = 1 there by construction. Stable: ρ with "
        "the explanation of the excerpt and a little noise. "
    )
    note += (
        "Retrained: the same between methods whose inverter was trained for the classifier and for one shuffled one, "
        "equally long."
        if own
        else "Methods with an inverter keep the trained one: none was trained for the shuffled classifiers "
        "(compare.sanity.retrain=true does), so that what the inverter learned stays."
    )
    return "Regions and sanity", note, columns


def _cheap(found: Found) -> tuple[str, str, list[Column]]:
    sizes = sorted({int(key[1].split("_")[2]) for key in found.rows if key[1].startswith("seconds_")})
    columns = [
        Column("forwards", "forwards", better=LOW, form="{:.0f}"),
        Column("backwards", "backwards", better=LOW, form="{:.0f}"),
        Column("first one (s)", "first_seconds", better=LOW, form="{:.3g}"),
        *(
            Column(f"batch {batch}, {word} (s)", f"seconds_batch_{batch}_{key}", better=LOW, form="{:.3g}")
            for batch in sizes
            for key, word in (("median", "median"), ("p95", "95 %"))
        ),
    ]
    note = (
        "Per excerpt: passes through the classifier, and seconds alone and in a batch, the 95th percentile of twenty "
        "timings or more. First: with what a method prepares once. Training is once for all."
    )
    return "Cost", note, columns


def _section(found: Found, title: str, note: str, columns: list[Column]) -> Section:
    there = [column for column in columns if any(_row(found, name, column) for name in found.methods)]
    lines: dict[str, list[Cell]] = {name: [] for name in found.methods}
    for column in there:
        rows = {name: _row(found, name, column) for name in found.methods}
        written = {name: None if row is None else column.form.format(row["value"]) for name, row in rows.items()}
        best = _best({name: float(text) for name, text in written.items() if text is not None}, column.better)
        turning = reversed_by_fill(found, column.metric, column.fills)
        for name, row in rows.items():
            marks = dict(best=name in best, turns=name in turning)
            lines[name].append(Cell("–") if row is None else _cell(column, row, written[name], **marks))
    return Section(title, note, [column.head for column in there], lines)


def _row(found: Found, name: str, column: Column) -> dict | None:
    return found(name, column.metric, column.fill, column.area, column.of)


def _best(values: dict[str, float], better: str) -> set[str]:
    """Methods whose value, as written, no other's is better than; none where all are the same."""
    if better == NEITHER or len(set(values.values())) < 2:
        return set()
    first = (min if better == LOW else max)(values.values())
    return {name for name, value in values.items() if value == first}


def _cell(column: Column, row: dict, text: str, **marks: bool) -> Cell:
    interval = ""
    if row["ci_low"] is not None:
        interval = f"[{column.form.format(row['ci_low'])}, {column.form.format(row['ci_high'])}]"
    differs = column.alike and row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT
    return Cell(text, interval, differs=differs, **marks)
