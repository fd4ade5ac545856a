"""Which part of an excerpt of an audio file made the classifier decide as it did: pictures, arrays, sound."""

import logging
from pathlib import Path

import hydra
import numpy as np
import soundfile
from omegaconf import DictConfig

from svdx.cli import command
from svdx.corpora.corpus import Corpus
from svdx.errors import ConfigError, CorpusError
from svdx.listener import Listener, cut_excerpt
from svdx.pipeline import Pipeline
from svdx.plots import explanation_figure
from svdx.provenance import write_summary
from svdx.report import explanation_facts, explanation_page

log = logging.getLogger(__name__)


def first_singing(corpus: Corpus) -> tuple[Path, float]:
    """An example from a corpus: the first test track in which somebody sings, and the second when that begins."""
    for track in corpus.split("test"):
        for segment in track.segments:
            if segment.vocal:
                return track.audio, segment.start
    raise CorpusError(f"{corpus.root}: nobody sings in the test split; give audio=FILE")


@hydra.main(version_base="1.3", config_path="conf", config_name="explain")
@command
def main(cfg: DictConfig) -> None:
    if isinstance(cfg.start, bool) or not isinstance(cfg.start, int | float):
        raise ConfigError(f"start={cfg.start}: expected seconds")
    pipeline = Pipeline(cfg)
    audio, start = (str(cfg.audio), cfg.start) if cfg.audio is not None else first_singing(pipeline.corpus)
    samples = cut_excerpt(audio, start, pipeline.frontend)
    listener = Listener(pipeline.frontend, pipeline.explainer())
    explanation = listener.listen(samples)
    kept = listener.kept_sound(samples, explanation)
    facts = explanation_facts(explanation)
    title = f"{Path(audio).name}, from {start} s"
    figure = explanation_figure(explanation, pipeline.frontend, title=title)
    figure.savefig(pipeline.directory / "explanation.png", dpi=150)
    np.savez_compressed(pipeline.directory / "explanation.npz", **explanation.arrays())
    sounds = {"excerpt": samples, "explanation": kept}
    for name, sound in sounds.items():
        soundfile.write(pipeline.directory / f"{name}.wav", sound.numpy(), pipeline.frontend.sample_rate)
    page = explanation_page(title, facts, figure, sounds, pipeline.frontend.sample_rate)
    (pipeline.directory / "report.html").write_text(page, encoding="utf-8")
    write_summary(pipeline.directory, cfg, {**facts, **pipeline.used})
    for name, value in facts.items():
        log.info(f"{name}: {value}")
    log.info(f"results in {pipeline.directory}")


if __name__ == "__main__":
    main()
