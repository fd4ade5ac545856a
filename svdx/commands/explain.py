"""Which part of an excerpt of an audio file made the classifier decide as it did: pictures, arrays, sound, a page."""

import logging
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from svdx.app.cli import command
from svdx.app.pipeline import Pipeline
from svdx.app.points import page_points
from svdx.app.provenance import write_summary
from svdx.app.run_directory import atomic_results, reuse_or_refuse, run_lock
from svdx.app.settings import build
from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import promised_length
from svdx.batch.collection import Each, document_collection
from svdx.batch.request import Request
from svdx.corpora.corpus import Corpus
from svdx.corpora.loose_files import audio_files, is_directory_or_pattern, track_at
from svdx.corpora.track import Track
from svdx.errors import ConfigError, CorpusError
from svdx.explain.listener import Listener, cut_excerpt, hop_frames, last_start
from svdx.explain.maximisation import check_unit, extremes
from svdx.report.unit import document_unit

AMONG_MANY = ("audio",)  # which tracks: what is asked of one is the same

log = logging.getLogger(__name__)


def first_singing(corpus: Corpus, frontend: FrontEnd) -> tuple[Track, float]:
    """An example from a corpus: the first test track in which somebody sings, and the second of an excerpt there: when
    that begins, or earlier where the track would end within the excerpt."""
    for track in corpus.split("test"):
        last = last_start(promised_length(track.audio, frontend.sample_rate), frontend)
        for segment in track.segments:
            if segment.vocal and last >= 0:
                return track, min(segment.start, last)
    raise CorpusError(f"{corpus.root}: nobody sings in the test split; give audio=FILE")


def explain_unit(cfg: DictConfig) -> None:
    """The excerpts that move a unit of the classifier most."""
    expect_sense(cfg)
    name = str(cfg.maximise)
    check_unit(name)
    pipeline = Pipeline(cfg)
    reuse_or_refuse(cfg, pipeline.directory)
    classifier = pipeline.classifier
    if reuse_or_refuse(cfg, pipeline.directory, pipeline.sources()):
        log.info(f"{pipeline.directory / 'maximised.png'} is there, with the same configuration and classifier")
        return
    found = extremes(classifier, name, partial(build, cfg.maximisation))
    with atomic_results(pipeline.directory) as place:
        facts = document_unit(name, found, pipeline.frontend, place)
        write_summary(place, cfg, {**facts, **pipeline.provenance()})
    log.info(", ".join(f"{name} {extreme.activation:.2f}" for name, extreme in found.items()))
    log.info(f"open {pipeline.directory / 'maximised.png'}")


def expect_sense(cfg: DictConfig) -> None:
    """Raises ConfigError for keys that would be ignored, or that hold nothing."""
    if cfg.audio is not None and not str(cfg.audio).strip():
        raise ConfigError("audio= is empty: give an audio file, a directory or a pattern")
    if cfg.hop is not None and cfg.start != "all":
        raise ConfigError(f"hop={cfg.hop}: of a whole track only; add start=all, or leave hop= out")
    if cfg.maximise is not None and not (cfg.audio is None and cfg.start is None):
        raise ConfigError(f"maximise={cfg.maximise} looks at no audio: leave audio= and start= out")


def explain(cfg: DictConfig) -> None:
    """An excerpt, a track, or each of several."""
    expect_sense(cfg)
    several = cfg.audio is not None and is_directory_or_pattern(str(cfg.audio))
    files = audio_files(str(cfg.audio)) if several else []
    pipeline = Pipeline(cfg)
    reuse_or_refuse(cfg, pipeline.directory, ignoring=AMONG_MANY if several else ())
    trainer = build(cfg.trainer, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    engine = build(cfg.engine, trainer=trainer)
    track, start = None, 0.0 if cfg.start is None else cfg.start
    if cfg.audio is None:
        track, first = first_singing(pipeline.corpus, pipeline.frontend)
        start = first if cfg.start is None else cfg.start
        pipeline.store.prepare([track])  # refuses labels that do not fit the audio
    elif not several:
        track = track_at(Path(str(cfg.audio)))
    hop_frames(cfg.hop, pipeline.frontend)  # what is wrong with it, or with the track, is said before any training
    thresholds = page_points(cfg)
    if track:
        cut_excerpt(track.audio, 0 if start == "all" else start, pipeline.frontend)  # refuses what cannot be explained
        reuse_or_refuse(cfg, pipeline.directory, pipeline.sources([track]))  # another result is refused, too
    listener = Listener(pipeline.frontend, pipeline.explainer())
    request = Request(listener, start, cfg.hop, thresholds, cfg.sounds)
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
    if reuse_or_refuse(cfg, pipeline.directory, pipeline.sources([track])):
        log.info(f"{page} is there, with the same configuration, networks, sound and labels")
        return
    with atomic_results(pipeline.directory) as place:
        facts = request.to(trainer.strategy.root_device)(track, place)
        write_summary(place, cfg, {**facts, **pipeline.provenance()})
    for name, value in facts.items():
        log.info(f"{name}: {value}")
    log.info(f"open {page}")


@command
def main(cfg: DictConfig) -> None:
    with run_lock(Path(cfg.paths.run)):
        explain(cfg) if cfg.maximise is None else explain_unit(cfg)
