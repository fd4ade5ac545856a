"""The bench on a classifier whose answer is known: perfect, reversed and random scores must measure as expected."""

import copy
import time
from string import ascii_lowercase
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from svdx.comparison.bench import Bench
from svdx.comparison.cost import Cost, counted
from svdx.comparison.equal_area import EqualArea, drawn_order, tied_ranks
from svdx.comparison.measures import LOSS, measures, thirds
from svdx.comparison.results import Results, rows
from svdx.comparison.sanity import Method, Sanity
from svdx.comparison.stems import Pair
from svdx.errors import ConfigError
from svdx.explanation import Explainer, FeatureInversion, masks
from svdx.explanation.evidence import evidence_gradient
from svdx.explanation.methods.controls import RandomBins
from tests.support.toys import BANDS, FRAMES, RECTANGLE, Planted, PlantedInverter, planted_excerpts

EIGHTH = int(RECTANGLE.sum()) / RECTANGLE.numel()  # 48 of 384 bins
N = 8
COSTS = ("forwards", "backwards")


class Perfect(Explainer):
    """Scores 1 in the rectangle, 0 elsewhere."""

    name, sign = "perfect", 1

    def score(self, excerpts):
        return self.sign * RECTANGLE.float().expand(len(excerpts), FRAMES, BANDS)


class Reversed(Perfect):
    """Scores everything else higher than the rectangle."""

    name, sign = "reversed", -1


class Gradient(Explainer):
    """Makes 100 passes of preparation at its first call."""

    name, prepared = "gradient", False

    def score(self, excerpts):
        if not self.prepared:
            self.classifier(torch.zeros(100, FRAMES, BANDS))
            self.prepared = True
        return evidence_gradient(self.classifier, excerpts, self.classifier(excerpts) > 0.5).abs()


class Data:
    """Stand-in for `svdx.data.excerpts.Excerpts`: two excerpts per track."""

    def __init__(self, n=N):
        self.tracks = [SimpleNamespace(name=name) for name in ascii_lowercase[: n // 2]]
        self.start_of = np.arange(n)
        self.logmel, self.vocal = planted_excerpts(n)

    def __len__(self):
        return len(self.logmel)

    def __getitem__(self, numbers):
        numbers = torch.as_tensor(numbers)
        return {"logmel": self.logmel[numbers], "number": numbers, "track": numbers // 2}


def classifier():
    network = Planted()
    network.fc9.weight.data *= torch.linspace(0.5, 1.5, network.n_features)
    network.standardise = lambda logmel: logmel
    return network.requires_grad_(False)


def stems(number):
    """Of three excerpts: the voice is 10 dB above everything else in the rectangle and far below elsewhere."""
    if number > 2:
        return None
    voice = np.where(RECTANGLE, 0.0, -10.0)
    return Pair(voice, np.where(RECTANGLE, -np.log(10) / 2, -1.0).astype(np.float32))


def method(kind, network, **parts):
    return Method(kind(network, **parts), lambda other, own: kind(other, **parts, **({"inverter": own} if own else {})))


def methods():
    network = classifier()
    made = {kind.name: method(kind, network) for kind in (Perfect, Reversed, RandomBins, Gradient)}
    inversion = Method(
        FeatureInversion(network, PlantedInverter()),
        lambda other, own: FeatureInversion(other, own or PlantedInverter()),
        inverts=True,
    )
    return {"inversion": inversion, **made}


def bench(**options):
    parts = dict(
        equal_area=EqualArea(["mean", "excerpt-mean", "floor"], [0.05, EIGHTH, 0.5]),
        sanity=Sanity(["fc9"], n=3, draws=3),
        cost=Cost(0.001),
    )
    return Bench(**{"methods": methods(), **parts, "stems": stems, **options})


@pytest.fixture(scope="module")
def study():
    return bench()(Data())


def loss(study, name, fill, area):
    (values,) = (m.values for m in measures(study) if (m.metric, m.fill, m.area) == (LOSS, fill, area))
    return values[list(study.methods).index(name)].mean()


def test_perfect_score_keeps_every_label_and_its_removal_loses_them(study):
    assert loss(study, "perfect", "mean", EIGHTH) == 0
    removed = study.methods["perfect"]["removed"][0, 1]
    assert not removed.any()  # 0 everywhere is not above the decision threshold: only those called singing change
    assert (removed != study.vocal).sum() == N / 2


def test_losses_are_counted_per_fill(study):
    """With the floor far below any excerpt, half of the bins at random are never singing; with the mean they are."""
    for number, fill in enumerate(study.fills):
        kept = study.methods["random"]["kept"][number, 2]
        assert loss(study, "random", fill, 0.5) == pytest.approx(100 * (kept != study.vocal).mean())
    assert loss(study, "random", "floor", 0.5) == 50 > loss(study, "random", "mean", 0.5)


def test_reversed_score_loses_every_vocal_label(study):
    kept = study.methods["reversed"]["kept"][0, 1]
    assert not kept.any() and study.vocal.any()
    assert (study.methods["reversed"]["removed"][0, 1] == study.vocal).all()


def test_masks_have_the_requested_number_of_bins_for_constant_scores():
    equal = EqualArea(["mean"], [0.01, 0.1])
    masks = equal.masks(tied_ranks(torch.zeros(2, FRAMES, BANDS), drawn_order(Data().logmel[:2])))
    assert masks.flatten(2).sum(2).tolist() == [[4, 4], [38, 38]]
    assert (masks[0] <= masks[1]).all()


def test_equal_scores_are_ranked_at_random_independently_of_the_batch():
    excerpts = Data().logmel
    order = drawn_order(excerpts)
    rank = tied_ranks(torch.zeros_like(excerpts), order)
    tenth = rank < rank[0].numel() // 10
    frame = torch.arange(FRAMES, dtype=torch.float)[:, None].expand(FRAMES, BANDS)
    means = torch.stack([frame[mask].mean() for mask in tenth])
    assert (means - frame.mean()).abs().max() < 4 and not torch.equal(tenth[0], tenth[1])  # the first would be below 1
    assert torch.equal(rank[3:4], tied_ranks(torch.zeros_like(excerpts[3:4]), drawn_order(excerpts[3:4])))
    score = RECTANGLE.float().expand_as(excerpts)
    inside, outside = (tied_ranks(score, order)[:, where] for where in (RECTANGLE, ~RECTANGLE))
    assert inside.max() < RECTANGLE.sum() <= outside.min()
    untied = torch.rand(excerpts.shape)
    assert torch.equal(tied_ranks(untied, order), masks.ranks(untied))


def test_records_do_not_depend_on_the_batch_size(study):
    again = bench()(Data(), batch_size=3)
    for name, found in study.methods.items():
        for key, values in found.items():
            if not key.startswith("seconds"):
                np.testing.assert_allclose(again.methods[name][key], values, atol=1e-6, err_msg=f"{name} {key}")


def test_localised_are_excerpts_whose_label_the_voice_decides(study):
    """0 and 2 are predicted singing, 1 is not; the others have no known voice. Without the voice, the rest is soft."""
    assert study.localised.tolist() == [True, False, True, False, False, False, False, False]
    assert np.isnan(study.voice_ratio[3:]).all() and not np.isnan(study.voice_ratio[:3]).any()
    found = study.methods["perfect"]
    assert found["voice_iou"][[0, 2]].tolist() == [1, 1] and np.isnan(found["voice_iou"][1])
    assert found["voice_share"][1, 0] == pytest.approx(10 / 11)
    assert study.methods["reversed"]["pointing_game"][0] == 0


def test_passes_are_counted_per_excerpt(study):
    passes = {name: (found["forwards"][0], found["backwards"][0]) for name, found in study.methods.items()}
    assert passes["perfect"] == (0, 0)
    assert passes["gradient"] == (2, 1)  # the label, the evidence, and back


def test_preparation_counts_only_in_the_first_explanation():
    class Slow(Gradient):
        def score(self, excerpts):
            time.sleep(0 if self.prepared else 1)
            return super().score(excerpts)

    found = bench(methods={"slow": method(Slow, classifier())})(Data()).methods["slow"]
    assert found["seconds_first"] > 1 > found["seconds_of_batch"][0, 1]


def test_passes_are_counted_for_every_method_of_svdnet(classifier):
    excerpts = torch.zeros(3, 115, 80)
    with counted(classifier) as passes:
        classifier.features(excerpts)
        evidence_gradient(classifier, excerpts, torch.ones(3, dtype=torch.bool))
    assert (passes.forwards, passes.backwards) == (6, 3)
    classifier(excerpts)
    assert passes.forwards == 6


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_error_names_method_and_excerpt_of_a_score_that_is_not_finite(value):
    data = Data()

    class Broken(Perfect):
        def score(self, excerpts):
            mine = (excerpts == data.logmel[5]).all(2).all(1)
            return torch.where(mine[:, None, None], value, super().score(excerpts))

    some = {"perfect": method(Perfect, classifier()), "broken": method(Broken, classifier())}
    with pytest.raises(ConfigError, match="broken: its score of excerpt 5 has values"):
        bench(methods=some)(data, batch_size=4)


def test_identical_methods_have_no_difference_in_any_row():
    network = classifier()
    twice = {name: method(FeatureInversion, network, inverter=PlantedInverter()) for name in ("inversion", "twin")}
    results = Results(rows(bench(methods=twice)(Data())))
    assert results.row("inversion", LOSS, "mean", EIGHTH, "balanced")["p_holm"] is None
    for row in results.rows:
        if row["method"] == "twin" and row["metric"] not in COSTS and "seconds" not in row["metric"]:
            assert (row["difference"], row["difference_low"], row["difference_high"]) == (0, None, None)
            assert row["p_holm"] == 1  # of four tracks there is no interval


def test_empty_mask_has_one_row_per_fill_and_class(study):
    """No singing (log-odds of 0 or less), except with the fill excerpt-mean, which keeps the label."""
    written = rows(study)
    results = Results(written)
    lost = {
        (fill, of): results.value("empty mask", LOSS, fill, 0.0, of)
        for fill in study.fills
        for of in ("all", "vocal", "nonvocal", "balanced")
    }
    for fill, (all_of, vocal) in {"mean": (50, 100), "floor": (50, 100), "excerpt-mean": (0, 0)}.items():
        assert (lost[fill, "all"], lost[fill, "vocal"], lost[fill, "balanced"]) == (all_of, vocal, all_of)
        assert lost[fill, "nonvocal"] == 0
    assert "empty mask" not in results.methods and sum(row["method"] == "empty mask" for row in written) == 12


def test_gain_is_the_loss_of_random_bins_minus_that_of_the_method(study):
    gain = Results(rows(study)).row("perfect", "gain_over_random_percent", "mean", EIGHTH, "all")["value"]
    assert gain == pytest.approx(loss(study, "random", "mean", EIGHTH))


def test_saved_study_has_the_track_of_every_excerpt(study, tmp_path):
    study.save(tmp_path / "compare.npz")
    with np.load(tmp_path / "compare.npz", allow_pickle=False) as arrays:
        assert arrays["track"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3] and arrays["names"].tolist() == list("abcd")
        assert arrays["perfect/kept"].shape == (3, 3, N) and arrays["random/picture"].shape == (6, FRAMES, BANDS)
    assert [path.name for path in tmp_path.iterdir()] == ["compare.npz"]


def test_thirds_divide_the_localised_excerpts(study):
    some = copy.copy(study)
    some.voice_ratio, some.localised = np.arange(8.0), np.arange(8) < 7
    assert thirds(some) == (2, 4)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: EqualArea(["most"], [0.1]), r"fills=\[most\]: expected \[mean, zero, floor or excerpt-mean, …\]"),
        (lambda: EqualArea(["mean", "mean"], [0.1]), "different"),
        (lambda: EqualArea(["mean"], [0.2, 0.1]), "ascending"),
        (lambda: EqualArea(["mean"], [0.5, 1.0]), "more than 0, less than 1"),
        (lambda: Cost(0), "more than 0"),
        (lambda: Sanity(["fc9"], noise=0), "noise=0: expected more than 0"),
        (lambda: bench(sanity=Sanity(["fc3"])), "fc3: expected some of fc9"),
    ],
)
def test_invalid_options_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
