"""The command explain.py: which part of an audio file made the classifier decide as it did."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import torch
from omegaconf import DictConfig

from svdx.app.pipeline import Pipeline
from svdx.app.points import page_points
from svdx.app.provenance import write_summary
from svdx.app.run_directory import atomic_results, reuse_or_refuse, run_lock
from svdx.app.settings import build
from svdx.audio.logmel import FrontEnd
from svdx.audio.probe import open_sound
from svdx.audio.reading import declared_length
from svdx.batch.collection import TrackJob, document_collection
from svdx.batch.job import Engine
from svdx.batch.request import Request
from svdx.corpora.corpus import Corpus
from svdx.corpora.loose_files import audio_files, is_directory_or_pattern, track_at
from svdx.corpora.track import Track
from svdx.errors import AudioError, CorpusError
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.maximisation import check_unit, extremes
from svdx.explanation.recording import hop_frames, last_start, read_recording
from svdx.report.files import write_result, write_unit

AMONG_MANY = ("audio",)  # no track's result depends on the others

log = logging.getLogger(__name__)


def explain(cfg: DictConfig) -> None:
    """Explain an excerpt, a track, or each of several tracks."""
    several = cfg.audio is not None and is_directory_or_pattern(str(cfg.audio))
    files = audio_files(str(cfg.audio)) if several else []
    pipeline = Pipeline(cfg)
    reuse_or_refuse(cfg, pipeline.directory, ignoring=AMONG_MANY if several else ())
    trainer = build(cfg.trainer, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    engine = build(cfg.engine, trainer=trainer)
    hop_frames(cfg.hop, pipeline.frontend)  # a wrong hop or track is refused before any training
    if several:
        expect_readable(files)
        explain_tracks(cfg, files, pipeline, engine)
    else:
        explain_track(cfg, pipeline, trainer.strategy.root_device)


def explain_track(cfg: DictConfig, pipeline: Pipeline, device: torch.device) -> None:
    """Explain one track, or an excerpt of it."""
    track, start = track_and_start(cfg, pipeline)
    points, recording = page_points(cfg), read_recording(track)
    recording.excerpt_span(0.0 if start == "all" else float(start), pipeline.frontend)  # refuses before any training
    reuse_or_refuse(cfg, pipeline.directory, pipeline.sources([track]))  # likewise the result of other music
    explainer = AudioExplainer(pipeline.frontend, pipeline.prepare_explainer()).to(device)
    page = pipeline.directory / "report.html"
    if reuse_or_refuse(cfg, pipeline.directory, pipeline.sources([track])):
        log.info(f"{page} is up to date: same configuration, networks, sound and labels")
        return
    with atomic_results(pipeline.directory) as place:
        result = Request(explainer, start, cfg.hop, points, cfg.sounds).explain(recording)
        facts = write_result(result, place, cfg.sounds)
        write_summary(place, cfg, {**facts, **pipeline.provenance()})
    for name, value in facts.items():
        log.info(f"{name}: {value}")
    log.info(f"open {page}")


def explain_tracks(cfg: DictConfig, files: list[Path], pipeline: Pipeline, engine: Engine) -> None:
    """Explain each of several tracks in a directory of its own, and write a page that links to them."""
    points, start = page_points(cfg), 0.0 if cfg.start is None else cfg.start
    explainer = AudioExplainer(pipeline.frontend, pipeline.prepare_explainer())
    job = TrackJob(Request(explainer, start, cfg.hop, points, cfg.sounds), pipeline.directory, cfg.threads or 1)
    collection = document_collection(Path(str(cfg.audio)).name, files, job, engine)
    if collection is None:  # the first process writes the summary
        return
    results = {"tracks": collection.done, "failed": collection.failed, **pipeline.provenance()}
    write_summary(pipeline.directory, cfg, results)
    log.info(f"{len(collection.done)} of {len(files)} tracks explained, {collection.before} of them before")
    log.info(f"open {pipeline.directory / 'index.html'}")


def track_and_start(cfg: DictConfig, pipeline: Pipeline) -> tuple[Track, float | str]:
    """The configured track and start. Defaults: the corpus' first singing, the beginning of a file."""
    if cfg.audio is None:
        track, first = first_singing(pipeline.corpus, pipeline.frontend)
        return track, first if cfg.start is None else cfg.start
    return track_at(Path(str(cfg.audio))), 0.0 if cfg.start is None else cfg.start


def first_singing(corpus: Corpus, frontend: FrontEnd) -> tuple[Track, float]:
    """The first test track with singing, and the start in seconds of an excerpt there: where the singing begins, or
    earlier if the track would end within the excerpt. Raises: CorpusError if nobody sings."""
    for track in corpus.split("test"):
        last = last_start(declared_length(track.audio, frontend.sample_rate), frontend)
        for segment in track.segments:
            if segment.vocal and last >= 0:
                return track, min(segment.start, last)
    raise CorpusError(f"{corpus.root}: nobody sings in the test split; give audio=FILE")


def expect_readable(files: list[Path]) -> None:
    """Raises AudioError if none of the files is audio, by their headers, before any training."""
    reasons = []
    for file in files:
        try:
            with open_sound(file):
                return
        except AudioError as error:
            reasons.append(str(error))
    raise AudioError(f"none of {len(files)} tracks could be explained; the first: {reasons[0]}")


def explain_unit(cfg: DictConfig) -> None:
    """Find the excerpts that maximise and minimise a unit of the classifier."""
    name = str(cfg.maximise)
    check_unit(name)
    pipeline = Pipeline(cfg)
    figure = pipeline.directory / "maximised.png"
    reuse_or_refuse(cfg, pipeline.directory)
    classifier = pipeline.prepare_classifier()
    if reuse_or_refuse(cfg, pipeline.directory, pipeline.sources()):
        log.info(f"{figure} is up to date: same configuration and classifier")
        return
    excerpts = extremes(classifier, name, partial(build, cfg.maximisation))
    activations = {extreme: value.activation for extreme, value in excerpts.items()}
    with atomic_results(pipeline.directory) as place:
        write_unit(name, excerpts, pipeline.frontend, place)
        write_summary(place, cfg, {"unit": name, **activations, **pipeline.provenance()})
    log.info(", ".join(f"{extreme} {activation:.2f}" for extreme, activation in activations.items()))
    log.info(f"open {figure}")


def main(cfg: DictConfig) -> None:
    with run_lock(Path(cfg.paths.run)):
        explain(cfg) if cfg.maximise is None else explain_unit(cfg)
