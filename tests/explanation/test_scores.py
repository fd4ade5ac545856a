"""A score that is NaN or infinite is refused by name; it never becomes an empty mask."""

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from svdx.batch.collection import TrackJob, document_collection
from svdx.batch.request import Request
from svdx.errors import AudioError, ScoreError
from svdx.explanation import Explainer, FeatureInversion
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.masks import normalise
from svdx.explanation.methods.inversion import GatedInversion
from svdx.explanation.tracks import explain_track

NAN, INF = float("nan"), float("inf")
EXCERPTS = torch.randn(3, 115, 80)


class Painter(nn.Module):
    """An inverter whose picture of the n-th excerpt of a batch has a value in one bin."""

    layer = "fc8"

    def __init__(self, value, number=1):
        super().__init__()
        self.value, self.number = value, number

    def forward(self, features):
        picture = torch.rand(len(features), 115, 80)
        picture[min(self.number, len(features) - 1), 50, 40] = self.value
        return picture


class Spoiled(Explainer):
    name = "spoiled"

    def score(self, excerpts):
        return excerpts * NAN


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_score_that_is_not_finite_is_refused_with_its_excerpt(classifier, value):
    with pytest.raises(ScoreError, match=r"^explainer=inversion gave a score that is NaN or infinite; check") as error:
        FeatureInversion(classifier, Painter(value))(EXCERPTS)
    assert error.value.number == 1
    with pytest.raises(ScoreError, match=r"^explainer=inversion gave a score"):
        explain_track(FeatureInversion(classifier, Painter(value)), torch.randn(300, 80), 115, 50)
    with pytest.raises(ScoreError, match=r"^explainer=spoiled gave a score"):
        Spoiled(classifier)(EXCERPTS)


def test_a_method_that_scales_pictures_of_its_own_does_not_hide_it(classifier):
    assert normalise(torch.tensor([[[0.0, NAN, 1.0]], [[0.0, INF, 1.0]]])).isnan().flatten(1).any(1).all()
    with pytest.raises(ScoreError, match=r"^explainer=gated_inversion gave a score"):
        GatedInversion(classifier, Painter(NAN))(EXCERPTS)


@pytest.fixture
def songs(tmp_path):
    paths = [tmp_path / f"{name}.wav" for name in "ab"]
    for seed, path in enumerate(paths):
        soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, 3 * 22050), 22050)
    return paths


@pytest.mark.parametrize("start", [0.5, "all"])
def test_a_score_that_is_not_finite_fails_its_track_and_names_the_file(classifier, frontend, songs, tmp_path, start):
    explainer = AudioExplainer(frontend, FeatureInversion(classifier, Painter(NAN)))
    job = TrackJob(Request(explainer, start, None, [0.5]), tmp_path / "out")
    outcome = job(str(songs[0]), "a")
    assert outcome.state == "failed" and outcome.reason.startswith(f"{songs[0]}: explainer=inversion gave a score")
    with pytest.raises(AudioError, match=r"none of 2 tracks could be explained; the first: .*explainer=inversion gave"):
        document_collection("", songs, job, lambda job, tracks: [job(*track) for track in tracks])
