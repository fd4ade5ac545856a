"""The cost of explaining a whole track (`explain.py start=all`): CPU seconds by stage, and bytes by kind of file.

python benchmarks/tracks.py MODELS FILE...      MODELS: a directory of cache/models
"""

import resource
import sys
import tempfile
import time
from collections import Counter
from functools import wraps
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import svdx
import svdx.report.files
from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import Sound
from svdx.corpora.loose_files import track_at
from svdx.explanation import FeatureInversion, audio_explainer, recording

STAGES = {  # stage → its functions
    "decode, resample": [(recording, "read"), (Sound, "mono")],
    "log-mel": [(FrontEnd, "of_track")],
    "networks": [(audio_explainer, name) for name in ("explain_track", "at", "probabilities")],
    "sound from the mask": [(audio_explainer, "masked_sound")],
    "page": [(svdx.report.files, "explanation_page")],
    "figure": [(svdx.report.files, "result_figure"), (Figure, "savefig")],
    "arrays": [(np, "savez_compressed")],
    "WAV files": [(svdx.report.files, "write_wav")],
}
THRESHOLDS = [k / 10 for k in range(12)]  # as in conf/base.yaml


class Clock:
    """CPU seconds by stage. Time in a nested stage counts for the inner one only."""

    def __init__(self) -> None:
        self.seconds, self.stack, self.last = Counter(), ["rest"], time.process_time()

    def turn(self) -> None:
        now = time.process_time()
        self.seconds[self.stack[-1]] += now - self.last
        self.last = now

    def watch(self, place: object, name: str, stage: str) -> None:
        function = getattr(place, name)

        @wraps(function)
        def watched(*args, **options):
            self.turn()
            self.stack.append(stage)
            try:
                return function(*args, **options)
            finally:
                self.turn()
                self.stack.pop()

        setattr(place, name, watched)


def main() -> None:
    models, *files = sys.argv[1:]
    torch.set_num_threads(1)
    clock, networks = Clock(), svdx.load(models)
    method = FeatureInversion(networks.classifier, networks.inverter)
    explainer = audio_explainer.AudioExplainer(networks.frontend, method)
    for stage, functions in STAGES.items():
        for place, name in functions:
            clock.watch(place, name, stage)
    for file in files:
        track = track_at(Path(file))
        with tempfile.TemporaryDirectory() as directory:
            clock.turn()
            clock.seconds.clear()
            svdx.report.files.write_result(
                explainer.explain_track(recording.read_recording(track), None, THRESHOLDS), Path(directory)
            )
            clock.turn()
            sizes = {path.name: path.stat().st_size for path in Path(directory).iterdir()}
        sound = recording.read(track.audio)
        minutes, total = sound.samples.shape[1] / sound.rate / 60, sum(clock.seconds.values())
        print(f"\n{Path(file).name}: {minutes:.2f} min, {sound.rate} Hz, {len(sound.samples)} channels: {total:.1f} s")
        for stage, seconds in clock.seconds.most_common():
            print(f"  {stage:22s}{seconds:7.2f} s {100 * seconds / total:5.1f} % {seconds / minutes:7.2f} s a minute")
        for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
            print(f"  {name:22s}{size / 1e6:7.2f} MB {size / 1e6 / minutes:14.2f} MB a minute")
    print(f"\nmost memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
