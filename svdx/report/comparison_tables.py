"""The tables of a comparison: one section per question, one line per method, the best value of each column marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan

from svdx.comparison.measures import DELETION, GAIN, LOSS
from svdx.comparison.results import EMPTY, Results, timing
from svdx.comparison.statistics import SIGNIFICANT
from svdx.comparison.study import Study, similarity

LOW, HIGH, NEITHER = "↓", "↑", ""  # which values are better
MISSING = "–"


@dataclass(frozen=True)
class Column:
    """One column.

    metric, fill, area, of: which rows it shows; of: a class of excerpts
    better, form: which values are better, and their format
    fills: if given, methods whose order differs between these fills are marked
    comparable: whether values of different methods can be compared
    """

    title: str
    metric: str
    fill: str = ""
    area: float | None = None
    of: str = "all"
    better: str = NEITHER
    form: str = "{:.2f}"
    fills: Sequence[str] = ()
    comparable: bool = True

    @property
    def head(self) -> str:
        return f"{self.title} {self.better}".strip()

    def row(self, results: Results, method: str) -> dict | None:
        """The row of a method, if there is one."""
        return results.row(method, self.metric, self.fill, self.area, self.of)


@dataclass(frozen=True)
class Cell:
    """A value and its interval as text.

    best: of its column; differs: from the reference, p < 0.05 after correction
    reverses: the order with another method is the opposite under another fill
    """

    text: str
    interval: str = ""
    best: bool = False
    differs: bool = False
    reverses: bool = False

    @property
    def marks(self) -> str:
        """Marks to be shown after the value."""
        return "*" * self.differs + "‡" * self.reverses


@dataclass(frozen=True)
class Section:
    """A table: its columns' heads, and the cells of each method in this order. under: notes below the table"""

    title: str
    note: str
    heads: list[str]
    lines: dict[str, list[Cell]]
    under: list[str] = field(default_factory=list)


def sections(study: Study, results: Results, area: float, training: Mapping[str, str]) -> list[Section]:
    """All tables that are not empty.

    area: of columns that need one; training: by method, the seconds of the training it needed, as text
    """
    made = [
        faithfulness(results, study.fills, area),
        localisation(results, area),
        sanity(results, area, study.layers, study.retrained),
        cost(results, sorted({1, study.batch_size}), training),
    ]
    return [part for part in made if any(cell.text != MISSING for line in part.lines.values() for cell in line)]


def faithfulness(results: Results, fills: Sequence[str], area: float) -> Section:
    """Explanation loss and deletion; in words also the loss of the empty mask."""
    at, fill, of = f"at {100 * area:g} %", fills[0], results.headline
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
    words = {"balanced": "as the mean of both classes", "all": "over all excerpts"}[of]
    note = (
        f"Per cent, {words} unless the column says otherwise. E_loss: labels that change when only the best "
        f"bins are kept and the others are filled (fill={fill}). Deletion: labels that change when these bins are "
        "removed. Area: under the curve over the share of bins from 0 to 1. Log area: under the curve over its "
        "logarithm, from the smallest share on."
    )
    losses = []
    for name in fills:
        shown = (results.value(EMPTY, LOSS, name, 0.0, part) for part in (of, "vocal", "nonvocal"))
        both, singing, none = (MISSING if isnan(value) else f"{value:.1f}" for value in shown)
        losses.append(f"fill={name} {both} (singing {singing}, no singing {none})")
    under = f"E_loss of the empty mask, every bin filled: {'; '.join(losses)}. The remaining excerpts already "
    under += "have the label of the fill itself."
    return _section(results, "Faithfulness at equal area", note, columns, under)


def localisation(results: Results, area: float) -> Section:
    """How far the explanations lie on the voice."""
    columns = [
        Column(f"voice at {100 * area:g} %", "voice_share", area=area, better=HIGH),
        *(
            Column(f"{third} voice", "voice_share", area=area, of=f"voice_{third}", better=HIGH)
            for third in ("soft", "middle", "loud")
        ),
        Column("enrichment", "voice_enrichment", area=area, better=HIGH),
        Column("voice IoU", "voice_iou", better=HIGH),
        Column("pointing game", "pointing_game", better=HIGH),
        Column("relevance mass", "relevance_mass", comparable=False),
        Column("relevance rank", "relevance_rank", better=HIGH),
    ]
    note = (
        "Over excerpts that are predicted singing and whose label changes without the voice. Voice: share of the kept "
        "energy that is voice. Enrichment: that share divided by the share in the whole excerpt. The other columns "
        "compare with the ideal binary mask (voice louder than the rest); voice IoU and relevance rank take as many "
        "best bins as it has. Relevance mass, the share of positive scores in that mask, depends on where a method has "
        "its zero, so methods are not compared by it."
    )
    return _section(results, "Agreement with the voice", note, columns)


def sanity(results: Results, area: float, layers: list[str], retrained: bool) -> Section:
    """Regions of the masks, and the sanity checks. retrained: whether inverters were trained for them"""

    def similarities(words: str, kind: str, statistic: str, some: list[str]) -> list[Column]:
        return [Column(words.format(layer), similarity(kind, statistic, layer), better=LOW) for layer in some]

    columns = [
        Column(f"regions at {100 * area:g} %", "regions", area=area, better=LOW, form="{:.1f}"),
        Column("largest region", "largest_region", area=area, better=HIGH),
        *similarities("{} random: abs ρ", "randomised", "abs_spearman", layers),
        *similarities("{} random: IoU", "randomised", "iou", layers[-1:]),
        *similarities("retrained, {}: abs ρ", "retrained", "abs_spearman", layers),
        Column("deterministic", "deterministic", better=HIGH),
        Column("stable: ρ", "stability", better=HIGH),
    ]
    note = (
        "Regions: connected components of the mask (eight neighbours), and the share of the largest. A method that "
        "scores blocks has ties, whose random order speckles its last block. Random: the weights of the classifier's "
        "layers from the output down to this one are shuffled, several times. ρ: Spearman's correlation with the "
        "explanation of the trained classifier, without its sign. IoU: that of the best bins. An explanation of what "
        "was learned must change. Methods that use the classifier through FC8 alone do not depend on fc9: ρ = 1 there "
        "by construction. Stable: ρ with the explanation of the excerpt plus a little noise. "
    )
    note += (
        "Retrained: the same between methods whose inverter was trained for the classifier and for one shuffled one, "
        "equally long."
        if retrained
        else "Methods with an inverter keep the trained one, and with it what the inverter learned: none was trained "
        "for the shuffled classifiers (compare.sanity.retrain=true trains them)."
    )
    return _section(results, "Regions and sanity", note, columns)


def cost(results: Results, batch_sizes: list[int], training: Mapping[str, str]) -> Section:
    """Passes and seconds."""
    columns = [
        Column("forwards", "forwards", better=LOW, form="{:.0f}"),
        Column("backwards", "backwards", better=LOW, form="{:.0f}"),
        Column("first one (s)", "first_seconds", better=LOW, form="{:.3g}"),
        *(
            Column(f"batch {size}, {words} (s)", timing(size, statistic), better=LOW, form="{:.3g}")
            for size in batch_sizes
            for statistic, words in (("median", "median"), ("p95", "95 %"))
        ),
    ]
    note = (
        "Per excerpt: passes through the classifier, and seconds alone and in a batch, with the 95th percentile of "
        "twenty timings or more. First: including what a method prepares once. Training: once for all excerpts."
    )
    section = _section(results, "Cost", note, columns)
    section.heads.append("training (s)")
    for name, cells in section.lines.items():
        cells.append(Cell(training.get(name, MISSING)))
    return section


def _section(results: Results, title: str, note: str, columns: list[Column], *under: str) -> Section:
    """A table of the columns for which any method has a value."""
    measured = [column for column in columns if any(column.row(results, name) for name in results.methods)]
    cells = [_cells(results, column) for column in measured]
    lines = {name: [column[name] for column in cells] for name in results.methods}
    return Section(title, note, [column.head for column in measured], lines, list(under))


def _cells(results: Results, column: Column) -> dict[str, Cell]:
    """A column's cells by method."""
    rows = {name: row for name in results.methods if (row := column.row(results, name))}
    texts = {name: column.form.format(row["value"]) for name, row in rows.items()}
    best = _best({name: float(text) for name, text in texts.items()}, column.better)
    reversing = results.reversed_by_fill(column.metric, column.fills)
    cells = {name: Cell(MISSING) for name in results.methods}
    for name, row in rows.items():
        interval = ""
        if row["ci_low"] is not None:
            interval = f"[{column.form.format(row['ci_low'])}, {column.form.format(row['ci_high'])}]"
        differs = column.comparable and row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT
        cells[name] = Cell(texts[name], interval, name in best, differs, name in reversing)
    return cells


def _best(values: dict[str, float], better: str) -> set[str]:
    """Methods with the best value, as written; none if all values are equal."""
    if better == NEITHER or len(set(values.values())) < 2:
        return set()
    first = (min if better == LOW else max)(values.values())
    return {name for name, value in values.items() if value == first}
