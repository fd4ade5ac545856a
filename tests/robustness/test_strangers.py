"""Files from strangers: what they promise is refused before memory is taken, and nothing in them is executed."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from svdx.audio import probe as soundfiles
from svdx.audio.decoding import SourceBytes
from svdx.audio.reading import declared_length, decode, resample
from svdx.corpora.file_lists import LARGEST, read_lines
from svdx.corpora.labels import read_lab
from svdx.corpora.stems import vocal_segments
from svdx.errors import AudioError, CorpusError, WeightsError
from svdx.files import archives
from svdx.models import load_classifier
from svdx.models.standardisation import load_standardisation
from svdx.models.weights import describe, save
from svdx.training.checkpoints import Checkpoints, latest_valid_checkpoint

RATE = 22050


def wav(channels=1, rate=RATE, data=100_000, there=100_000):
    """A header of 16 bits, which may lie, and `there` bytes of sound."""
    block = (2 * channels) % 2**16
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels % 2**16, rate, (rate * block) % 2**32, block, 16)
    return (
        b"RIFF" + struct.pack("<I", 2**31) + b"WAVE" + form + b"data" + struct.pack("<I", data) + b"\1\2" * (there // 2)
    )


def flac(path, n):
    """A flac whose header says that it has n samples, a number of 36 bits."""
    soundfile.write(path, 0.5 * np.ones(1000), RATE)
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | n >> 32
    content[22:26] = (n % 2**32).to_bytes(4, "big")
    path.write_bytes(content)


def au(channels, rate=RATE):
    return b".snd" + struct.pack(">IIIII", 24, 2**31, 3, rate, channels % 2**32) + b"\1\2" * 50_000


HEADERS = {
    "channels.wav": (wav(channels=100), "has 100 channels; at most 32 are read: mix it down"),
    "thousand.wav": (wav(channels=1000), "no possible number of channels"),
    "billion.au": (au(10**9), "not readable as audio"),
    "rate.wav": (wav(rate=2**31 - 1), "its sample rate is 2147483647 Hz; 1000 to 768000 are read"),
    "slow.wav": (wav(rate=1), "its sample rate is 1 Hz"),
    "bare.raw": (b"\1\2" * 5000, "not readable as audio"),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("read", [lambda path: decode(path, RATE), lambda path: declared_length(path, RATE)])
def test_impossible_headers_are_refused_before_memory_is_taken(tmp_path, name, read):
    content, reason = HEADERS[name]
    (tmp_path / name).write_bytes(content)
    tracemalloc.start()
    with pytest.raises(AudioError) as error:
        read(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()
    assert reason in str(error.value) and str(error.value).startswith(str(tmp_path / name))
    with pytest.raises(CorpusError, match="copy it again"):
        vocal_segments(tmp_path / name)


def test_a_decoder_that_asks_for_too_much_gets_little(tmp_path):
    (tmp_path / "a.flac").write_bytes(b"fLaC" * 10)
    with (tmp_path / "a.flac").open("rb") as file:
        source = SourceBytes(file, 4)
        tracemalloc.start()
        assert source.read(2**31 - 1) == b"fLaC" * 9
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()
        assert [source.seek(place) < 0 for place in (0, -5, 2**63 - 1)] == [False, True, True]


@pytest.mark.parametrize("n", [2**31, 2**36 - 1])
def test_a_header_of_two_billion_samples_is_refused(tmp_path, n):
    flac(tmp_path / "a.flac", n)
    with pytest.raises(AudioError, match="holds or declares 2147483648 samples or more"):
        declared_length(tmp_path / "a.flac", RATE)


def test_a_sound_that_unpacks_to_too_much_is_refused_while_it_is_read(tmp_path, monkeypatch):
    samples = np.zeros(500_000)
    samples[0] = 0.5
    soundfile.write(tmp_path / "bomb.flac", samples, RATE)
    assert len(decode(tmp_path / "bomb.flac", RATE)) == 500_000
    monkeypatch.setattr(soundfiles, "ALWAYS_ALLOWED", 1000)
    with pytest.raises(AudioError, match="decodes to more than 75 samples per byte"):
        decode(tmp_path / "bomb.flac", RATE)


@pytest.mark.parametrize("source_rate", [44101, 22051, 1009, 191_999, 767_999])
def test_a_rate_that_shares_no_divisor_takes_little_memory_and_keeps_length_and_tone(source_rate, monkeypatch):
    monkeypatch.setattr("torchaudio.functional.resample", None)  # it would make a table, of 8 GB for 44 101 Hz
    n = source_rate // 4
    tone = torch.sin(2 * torch.pi * 200 * torch.arange(n) / source_rate)
    tracemalloc.start()
    samples = resample(tone, source_rate, RATE)
    assert tracemalloc.get_traced_memory()[1] < 2**28
    tracemalloc.stop()
    assert len(samples) == -(-n * RATE // source_rate)
    expected = torch.sin(2 * torch.pi * 200 * torch.arange(len(samples)) / RATE)
    torch.testing.assert_close(samples[500:-500], expected[500:-500], atol=5e-3, rtol=0)


def test_text_that_is_too_long_is_refused(tmp_path):
    with (tmp_path / "a.lab").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(CorpusError, match="more than 16 MiB of text"):
        read_lines(tmp_path / "a.lab")


def test_what_was_read_as_latin_1_is_said(tmp_path):
    (tmp_path / "a.lab").write_bytes("0 1 sing\n1 2 chanté\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"a\.lab:2 \(not UTF-8: read as Latin-1\): .* found the word 'chanté'"):
        read_lab(tmp_path / "a.lab")
    (tmp_path / "a.lab").write_bytes("0 1 sing\n1 2 chanté\n".encode("utf-8-sig"))
    with pytest.raises(CorpusError, match=r"a\.lab:2: .* found the word 'chanté'"):
        read_lab(tmp_path / "a.lab")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_system_ends_them(tmp_path, end):
    (tmp_path / "a.lab").write_bytes(end.join(["0 1 sing", "1 2 nosing", ""]).encode("utf-8-sig"))
    assert [segment.vocal for segment in read_lab(tmp_path / "a.lab")] == [True, False]


def npz(path, size=1000, compression=zipfile.ZIP_STORED, shape=None):
    """An array of zeros, whose header may lie about its shape."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape or (size,)})
    with zipfile.ZipFile(path, "w", compression) as target:
        target.writestr("mean.npy", buffer.getvalue() + bytes(4 * size))
    return path


@pytest.mark.parametrize("shape", [(10**12,), (2000,), (-5,)])
def test_an_array_that_declares_more_than_the_file_holds_is_refused(tmp_path, shape):
    with pytest.raises(WeightsError, match="not a standardisation"):
        load_standardisation(npz(tmp_path / "a.npz", shape=shape), 80)


def test_more_bytes_than_weights_have_are_refused(tmp_path, monkeypatch):
    path = npz(tmp_path / "a.npz", size=10**6, compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(archives, "MAX_WEIGHT_BYTES", 2**20)
    assert path.stat().st_size < 2**20
    with pytest.raises(WeightsError, match=r"its content takes 0\.00 GiB, more than"):
        load_standardisation(path, 80)


def test_a_table_is_read_no_further_than_a_table_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("svdx.models.standardisation.LARGEST_TABLE", 50)
    (tmp_path / "a.csv").write_text("band,mean,std\n" + "".join(f"{i},0,1\n" for i in range(80)))
    with pytest.raises(WeightsError):
        load_standardisation(tmp_path / "a.csv", 80)


class Touch:
    """Unpickled, it would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class Exabyte:
    """Unpickled, a bytearray of 2^60 zeros; torch's `weights_only` allows it."""

    def __reduce__(self):
        return bytearray, (2**60,)


def checkpoint(path, **more):
    torch.save({"state_dict": {}, "epoch": 0, **more}, path)
    return path


LOADS = {"weights": load_classifier, "resuming": lambda path: Checkpoints().load_checkpoint(path)}


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_a_checkpoint_of_more_than_plain_values_is_refused_and_not_executed(tmp_path, load):
    with pytest.raises(WeightsError, match="Weights only load failed"):
        load(checkpoint(tmp_path / "a.ckpt", callbacks=Touch(tmp_path / "ran")))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(WeightsError, match="MemoryError"):
        load(checkpoint(tmp_path / "a.ckpt", callbacks=Exabyte()))
    for protocol in (2, 4):
        (tmp_path / "bare.ckpt").write_bytes(pickle.dumps(Touch(tmp_path / "ran"), protocol))
        with pytest.raises(WeightsError, match="not a zip"):
            load(tmp_path / "bare.ckpt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_a_checkpoint_without_a_pickle_is_refused(tmp_path, load):
    with zipfile.ZipFile(tmp_path / "b.ckpt", "w") as target:
        target.writestr("a/version", "3")
    with pytest.raises(WeightsError, match=r"b\.ckpt: (damaged|no checkpoint)"):
        load(tmp_path / "b.ckpt")


def test_resuming_reads_what_torch_wrote(tmp_path):
    Checkpoints().save_checkpoint({"step": 3, "weights": torch.arange(5.0)}, tmp_path / "last.ckpt")
    found = Checkpoints().load_checkpoint(latest_valid_checkpoint(tmp_path))
    assert found["step"] == 3 and torch.equal(found["weights"], torch.arange(5.0))


def test_lightning_resumes_by_this_way(tmp_path, make_trainer):
    from pytorch_lightning.demos.boring_classes import BoringModel

    path = checkpoint(tmp_path / "a.ckpt", callbacks=Touch(tmp_path / "ran"))
    trainer = make_trainer(plugins=[Checkpoints()])
    with pytest.raises(WeightsError, match="Weights only load failed"):
        trainer.fit(BoringModel(), ckpt_path=path, weights_only=False)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("length", [2**40, 2**63, 2**26])
def test_a_safetensors_header_that_is_longer_than_its_file_is_refused(tmp_path, classifier, length):
    save(classifier, tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(length.to_bytes(8, "little") + content[8:])
    with pytest.raises(WeightsError, match="damaged, or not a weight file"):
        load_classifier(tmp_path / "a.safetensors")


@pytest.mark.parametrize("sizes", [dict(frames="1000000000", bands="100000"), dict(frames="115", bands="8000000")])
def test_networks_that_are_larger_than_their_file_are_not_built(tmp_path, classifier, sizes):
    state = {name: value.contiguous() for name, value in classifier.state_dict().items()}
    save_file(state, tmp_path / "a.safetensors", metadata={**describe(classifier), **sizes})
    with pytest.raises(WeightsError, match="smaller than the network that it describes"):
        load_classifier(tmp_path / "a.safetensors")


def test_arrays_that_share_one_number_are_no_weights(tmp_path, classifier):
    state = {f"network.{name}": torch.zeros(()).expand(value.shape) for name, value in classifier.state_dict().items()}
    torch.save({"state_dict": state, "svdx": describe(classifier)}, tmp_path / "a.ckpt")
    assert (tmp_path / "a.ckpt").stat().st_size < 10**5
    with pytest.raises(WeightsError, match="smaller than the network that it describes"):
        load_classifier(tmp_path / "a.ckpt")
