"""Cuts of scores, points of curves and rows of pages follow from the configuration and the explainer."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from torch import nn

from svdx.app.points import curve_points, listed_points, page_points
from svdx.app.settings import build_explainer, parts_needed
from svdx.app.validation import validate_config
from svdx.errors import ConfigError
from svdx.explanation import Area, Otsu

CONF = Path(__file__).parent.parent.parent / "conf"
EXPLAINERS = sorted(path.stem for path in CONF.glob("explainer/*.yaml"))
THRESHOLDS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1]
AREAS = [Area(area) for area in (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)]


@pytest.fixture(scope="module", autouse=True)
def hydra():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def composed(*words, entry="evaluate"):
    cfg = compose(entry, ["paths.run=run", *words])
    validate_config(cfg)
    return cfg


def made(cfg):
    parts = dict.fromkeys(parts_needed(cfg.explainer), nn.Identity())
    return build_explainer(cfg.explainer, classifier=nn.Identity(), **parts)


@pytest.mark.parametrize("entry", ["evaluate", "explain"])
@pytest.mark.parametrize("name", EXPLAINERS)
def test_inversion_defaults_to_a_threshold_and_other_methods_to_an_area(name, entry):
    cfg = composed(f"explainer={name}", entry=entry)
    is_papers = name == "inversion"
    assert made(cfg).threshold == (0.6 if is_papers else Area(0.1))
    assert listed_points(cfg) == (THRESHOLDS if is_papers else AREAS)


@pytest.mark.parametrize("layer", ["conv1", "mp6", "fc7"])
def test_inversions_of_other_layers_have_the_same_points(layer):
    cfg = composed(f"layer={layer}")
    assert made(cfg).threshold == 0.6 and curve_points(cfg) == THRESHOLDS


CURVES = {  # words → points of evaluate.py's curve
    (): THRESHOLDS,
    ("explainer=gated_inversion",): AREAS,
    ("explainer=random",): AREAS,
    ("explainer.threshold=0.3",): [0.3],
    ("explainer=gated_inversion", "explainer.threshold=0.3"): [0.3],
    ("explainer.area=0.2",): [Area(0.2)],
    ("explainer=gated_inversion", "explainer.area=0.2"): [Area(0.2)],
    ("explainer=gated_inversion", "threshold=area", "explainer.area=0.2"): [Area(0.2)],
    ("threshold=area",): [Area(0.1)],
    ("explainer=gated_inversion", "threshold=otsu"): [Otsu()],
    ("threshold=fixed",): THRESHOLDS,
    ("explainer=gated_inversion", "threshold=fixed"): THRESHOLDS,
    ("explainer=gated_inversion", "threshold=fixed", "explainer.threshold=0.2"): [0.2],
    ("thresholds=[0.1,0.2]",): [0.1, 0.2],
    ("explainer=gated_inversion", "thresholds=[0.1,0.2]"): [0.1, 0.2],
    ("explainer=gated_inversion", f"thresholds={THRESHOLDS}".replace(" ", "")): THRESHOLDS,
    ("areas=[0.1,0.2]",): [Area(0.1), Area(0.2)],
    ("explainer=gated_inversion", "areas=[0.1]"): [Area(0.1)],
    ("explainer=gated_inversion", "explainer.threshold=null", "explainer.area=null"): AREAS,
}


@pytest.mark.parametrize("words, points", CURVES.items(), ids=lambda part: " ".join(map(str, part))[:60])
def test_a_curve_has_the_configured_points_or_those_that_fit_the_explainer(words, points):
    assert curve_points(composed(*words)) == points


PAGES = {  # words → rows of explain.py's table, and the cut
    (): (THRESHOLDS, 0.6),
    ("explainer=gated_inversion",): (AREAS, Area(0.1)),
    ("explainer=gated_inversion", "explainer.area=0.2"): (AREAS, Area(0.2)),
    ("explainer=gated_inversion", "threshold=otsu"): (AREAS, Otsu()),
    ("explainer=gated_inversion", "explainer.threshold=0.3"): (THRESHOLDS, 0.3),
    ("explainer=gated_inversion", "threshold=fixed"): (THRESHOLDS, 0.6),
    ("explainer=gated_inversion", "thresholds=[0.5]"): ([0.5], Area(0.1)),
    ("threshold=area",): (THRESHOLDS, Area(0.1)),
    ("explainer.area=0.2",): (THRESHOLDS, Area(0.2)),
    ("areas=[0.5]",): ([Area(0.5)], 0.6),
    ("thresholds=[]",): ([], 0.6),
}


@pytest.mark.parametrize("words, expected", PAGES.items(), ids=lambda part: " ".join(map(str, part))[:60])
def test_a_page_has_the_configured_points_or_those_that_fit_the_explainer(words, expected):
    cfg = composed(*words, entry="explain")
    assert (page_points(cfg), made(cfg).threshold) == expected


@pytest.mark.parametrize(
    "words, message",
    [
        (("thresholds=[]",), r"^thresholds=\[\]: expected numbers, as \[0.0,0.1\]$"),
        (("areas=[]",), r"^areas=\[\]: expected numbers, as \[0.05,0.1\]$"),
        (("areas=[0.1]", "thresholds=[0.1]"), "^thresholds=.* and areas=.*: a curve goes over one of them; give one$"),
    ],
)
def test_no_points_and_points_of_two_kinds_are_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        curve_points(composed(*words))


def between(n):
    return f"[{','.join(f'{0.5 + (i + 0.5) / 1000:g}' for i in range(n))}]"


def test_too_many_areas_for_the_pages_slider_are_refused():
    page_points(composed(f"areas={between(65)}", "explainer=random", entry="explain"))
    for words in ((f"areas={between(66)}",), (f"areas={between(65)}", "threshold=otsu")):
        with pytest.raises(ConfigError, match=r"^areas: 66 of them, .* it takes 65 such at most$"):
            page_points(composed(*words, "explainer=random", entry="explain"))
