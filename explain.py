"""Which part of an excerpt of an audio file made the classifier decide as it did: pictures, arrays, sound, a page."""

import logging
import sys
from functools import partial
from pathlib import Path

import hydra
from omegaconf import DictConfig

from svdx.canvas import slider_steps
from svdx.cli import as_typed, command
from svdx.corpora.beside import audio_files, is_several, track_at
from svdx.corpora.corpus import Corpus
from svdx.corpora.track import Track
from svdx.document import Each, Request, document_collection
from svdx.document.parts import LEAST
from svdx.document.unit import document_unit
from svdx.errors import CorpusError
from svdx.explain.maximisation import check_unit, extremes
from svdx.listener import Listener, expect_excerpt, hop_frames
from svdx.pipeline import Pipeline
from svdx.provenance import write_summary
from svdx.results import appearing, is_there, occupied
from svdx.settings import build

AMONG_MANY = ("audio",)  # which tracks: what is asked of one is the same

log = logging.getLogger(__name__)


def first_singing(corpus: Corpus) -> tuple[Track, float]:
    """An example from a corpus: the first test track in which somebody sings, and the second when that begins."""
    for track in corpus.split("test"):
        for segment in track.segments:
            if segment.vocal:
                return track, segment.start
    raise CorpusError(f"{corpus.root}: nobody sings in the test split; give audio=FILE")


def explain_unit(cfg: DictConfig) -> None:
    """The excerpts that move a unit of the classifier most."""
    name = str(cfg.maximise)
    check_unit(name)
    pipeline = Pipeline(cfg)
    is_there(cfg, pipeline.directory)
    classifier = pipeline.classifier
    if is_there(cfg, pipeline.directory, pipeline.sources()):
        log.info(f"{pipeline.directory / 'maximised.png'} is there, with the same configuration and classifier")
        return
    found = extremes(classifier, name, partial(build, cfg.maximisation))
    with appearing(pipeline.directory) as place:
        facts = document_unit(name, found, pipeline.frontend, place)
        write_summary(place, cfg, {**facts, **pipeline.provenance()})
    log.info(", ".join(f"{name} {extreme.activation:.2f}" for name, extreme in found.items()))
    log.info(f"open {pipeline.directory / 'maximised.png'}")


def explain(cfg: DictConfig) -> None:
    """An excerpt, a track, or each of several."""
    several = cfg.audio is not None and is_several(str(cfg.audio))
    files = audio_files(str(cfg.audio)) if several else []
    pipeline = Pipeline(cfg)
    is_there(cfg, pipeline.directory, aside_from=AMONG_MANY if several else ())
    trainer = build(cfg.trainer, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    engine = build(cfg.engine, trainer=trainer)
    if cfg.audio is None:
        track, start = first_singing(pipeline.corpus)
        pipeline.store.prepare([track])  # refuses labels that do not fit the audio
    else:
        track, start = None if several else track_at(Path(str(cfg.audio))), cfg.start
    hop_frames(cfg.hop, pipeline.frontend)  # what is wrong with it, or with the track, is said before any training
    own = LEAST if cfg.explainer.threshold is None else cfg.explainer.threshold  # or whichever will be chosen
    slider_steps([*cfg.thresholds, own])
    if track:
        expect_excerpt(track.audio, 0 if cfg.start == "all" else start, pipeline.frontend)
        is_there(cfg, pipeline.directory, pipeline.sources([track]))  # another result is refused, too
    listener = Listener(pipeline.frontend, pipeline.explainer())
    request = Request(listener, start, cfg.hop, list(cfg.thresholds), cfg.sounds)
    if several:
        job = Each(request, pipeline.directory, cfg.threads or 1)
        found = document_collection(Path(str(cfg.audio)).name, files, job, engine)
        if found is None:  # this process helped another, which goes on
            return
        write_summary(pipeline.directory, cfg, {"tracks": found.done, "failed": found.failed, **pipeline.provenance()})
        log.info(f"{len(found.done)} of {len(files)} tracks explained, {found.before} of them before")
        log.info(f"open {pipeline.directory / 'index.html'}")
        return
    page = pipeline.directory / "report.html"
    if is_there(cfg, pipeline.directory, pipeline.sources([track])):
        log.info(f"{page} is there, with the same configuration, networks, sound and labels")
        return
    with appearing(pipeline.directory) as place:
        facts = request.to(trainer.strategy.root_device)(track, place)
        write_summary(place, cfg, {**facts, **pipeline.provenance()})
    for name, value in facts.items():
        log.info(f"{name}: {value}")
    log.info(f"open {page}")


@hydra.main(version_base="1.3", config_path="conf", config_name="explain")
@command
def main(cfg: DictConfig) -> None:
    with occupied(Path(cfg.paths.run)):
        explain(cfg) if cfg.maximise is None else explain_unit(cfg)


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:])
    main()
