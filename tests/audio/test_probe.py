"""Sound files of all kinds are read completely, or refused with the reason."""

import io
import struct
from contextlib import suppress

import av
import numpy as np
import pytest
import soundfile

from svdx.audio.reading import declared_length, read
from svdx.errors import AudioError
from tests.support.recordings import RATE, ape_tag, encoded, id3, mp3, riff, tones

FRAME = 1152  # samples, of an mp3: a length may differ by what the encoder adds at both ends


@pytest.fixture(scope="module")
def made():
    """Files of three seconds, made once, by name."""
    sound, loud_first = tones(1, 1, 1), tones(1, 1, 1, levels=[0.8, 1e-4, 1e-4])
    wav = io.BytesIO()
    soundfile.write(wav, sound.T, RATE, format="WAV")
    constant = dict(quality=None)
    return {
        "vbr": mp3(sound),
        "loud": mp3(loud_first),
        "quiet": mp3(tones(1, 1, 1, levels=[1e-4, 1e-4, 0.8])),
        "cbr": mp3(sound, **constant),
        "info": mp3(sound, options={}, **constant),
        "xing": mp3(sound, options={}),
        "mono": mp3(tones(1.5, rate=24000, channels=1), rate=24000),
        "wav": wav.getvalue(),
        "vorbis": encoded(sound, "vorbis", "ogg"),
        "flac": encoded(sound, "flac", "flac"),
        "aac": encoded(sound, "aac", "ipod", options={"movflags": "faststart"}),
    }


def written(tmp_path, content, name="song.mp3"):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def tone_at(sound, second, rate=RATE):
    """The strongest frequency in the tenth of a second from there."""
    piece = sound.samples[0, round(second * rate) :][: rate // 10].numpy()
    return np.abs(np.fft.rfft(piece * np.hanning(len(piece)))).argmax() * rate / len(piece)


def expect_tones(sound, seconds=3.0, rate=RATE):
    """It is so long, and holds what `tones(1, 1, 1)` holds, to the end."""
    assert sound.rate == rate
    assert sound.samples.shape == (2, pytest.approx(seconds * rate, abs=3 * FRAME))
    for second in range(int(seconds)):
        assert tone_at(sound, second + 0.8, rate) == pytest.approx(500 * (second % 3 + 1), abs=15)


def garbage(n):
    return np.random.RandomState(1).bytes(n)


SHAPES = {
    "VBR without a header": lambda made: made["vbr"],
    "loud frames first": lambda made: made["loud"],
    "quiet frames first": lambda made: made["quiet"],
    "constant": lambda made: made["cbr"],
    "a tag with a picture": lambda made: id3(b"APIC" + garbage(150_000).replace(b"\xff", b"\0")) + made["quiet"],
    "padding of a tag": lambda made: id3(bytes(200_000)) + made["quiet"],
    "two tags": lambda made: id3(bytes(5000)) + id3(bytes(300)) + made["quiet"],
    "an APE tag in front": lambda made: ape_tag(b"x" * 500) + made["quiet"],
    "tags at the end": lambda made: made["quiet"] + ape_tag(b"x" * 500) + b"TAG" + bytes(125),
    "zeros in front": lambda made: bytes(50_000) + made["quiet"],
    "zeros behind": lambda made: made["loud"] + bytes(50_000),
    "other bytes in front": lambda made: garbage(5000).replace(b"\xff", b"\0") + made["quiet"],
    "cut within the first frame": lambda made: made["vbr"][100:],
    "a header of fewer frames": lambda made: counted(made["xing"], 20),
    "a header of no frames": lambda made: counted(made["xing"], 0),
}


def counted(content, frames):
    """An mp3 whose header says that it has so many frames."""
    place = max(content.find(b"Xing"), content.find(b"Info")) + 8
    return content[:place] + struct.pack(">I", frames) + content[place + 4 :]


@pytest.mark.parametrize("shape", SHAPES)
def test_mp3s_of_all_shapes_are_read_completely(made, tmp_path, shape):
    sound = read(written(tmp_path, SHAPES[shape](made)))
    assert sound.samples.shape == (2, pytest.approx(3 * RATE, abs=2 * FRAME))
    loudest = int(sound.samples[0].abs().argmax()) // RATE
    assert tone_at(sound, loudest + 0.3) == pytest.approx(500 * (loudest + 1), abs=15)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 48000])
def test_mp3s_of_all_rates_are_read_completely(tmp_path, rate):
    sound = tones(1, 1, 1, rate=rate, levels=[1e-4, 1e-4, 0.5])
    assert read(written(tmp_path, mp3(sound, rate=rate))).samples.shape == (2, pytest.approx(3 * rate, abs=2 * FRAME))


@pytest.mark.parametrize("first", ["vbr", "info", "xing"])
def test_joined_mp3s_are_read_completely(made, tmp_path, first):
    expect_tones(read(written(tmp_path, made[first] + made["xing"])), 6)


def test_parts_of_another_rate_and_layout_become_those_of_the_first(made, tmp_path):
    sound = read(written(tmp_path, made["vbr"] + made["mono"]))
    assert sound.rate == RATE
    assert sound.samples.shape == (2, pytest.approx(4.5 * RATE, abs=4 * FRAME))
    assert tone_at(sound, 4.2) == pytest.approx(500, abs=15)


@pytest.mark.parametrize(("codec", "rate"), [("vorbis", RATE), ("libopus", 48000), ("flac", RATE)])
def test_chained_ogg_is_read_completely(tmp_path, codec, rate):
    link = encoded(tones(1, 1, 1, rate=rate), codec, "ogg", rate=rate)
    expect_tones(read(written(tmp_path, link + link, "song.ogg")), 6, rate)


def test_incompatible_links_of_an_ogg_are_refused(made, tmp_path):
    other = encoded(tones(1, rate=22050, channels=1), "libopus", "ogg", rate=48000)
    with pytest.raises(AudioError, match=r"song.ogg: not readable to its end \(.*convert it"):
        read(written(tmp_path, made["vorbis"] + other, "song.ogg"))


CODED = {
    "m4a": ("aac", "ipod", RATE),
    "aac": ("aac", "adts", RATE),
    "mp4": ("aac", "mp4", RATE),
    "alac.m4a": ("alac", "ipod", RATE),
    "wma": ("wmav2", "asf", RATE),
    "webm": ("libopus", "webm", 48000),
    "opus": ("libopus", "ogg", 48000),
    "ogg": ("vorbis", "ogg", RATE),
    "flac.ogg": ("flac", "ogg", RATE),
    "flac": ("flac", "flac", RATE),
    "mka": ("flac", "matroska", RATE),
    "mp2": ("mp2", "mp2", RATE),
    "ac3": ("ac3", "ac3", RATE),
    "tta": ("tta", "tta", RATE),
    "wv": ("wavpack", "wv", RATE),
    "adpcm.wav": ("adpcm_ms", "wav", RATE),
    "mp3.wav": ("libmp3lame", "wav", RATE),
    "w64": ("pcm_s16le", "w64", RATE),
    "caf": ("pcm_s16be", "caf", RATE),
    "aiff": ("pcm_s16be", "aiff", RATE),
    "au": ("pcm_mulaw", "au", RATE),
    "mulaw.wav": ("pcm_mulaw", "wav", RATE),
}


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("ending", [None, "mp3", "wav"])
def test_the_content_of_a_file_decides_and_not_its_name(tmp_path, name, ending):
    codec, container, rate = CODED[name]
    path = written(tmp_path, encoded(tones(1, 1, 1, rate=rate), codec, container, rate=rate), f"song.{ending or name}")
    expect_tones(read(path), 3, rate)
    assert declared_length(path, rate) == pytest.approx(3 * rate, abs=4 * FRAME)


@pytest.mark.parametrize("kind", ["vorbis", "flac", "wav", "aac"])
def test_an_id3_tag_before_any_format_is_skipped(made, tmp_path, kind):
    expect_tones(read(written(tmp_path, id3(bytes(3000)) + made[kind], "song.ogg")))


def test_a_flac_of_unknown_length_and_one_that_was_joined(made, tmp_path):
    place = made["flac"].index(b"fLaC") + 8 + 13  # the last bits of the byte before, and four bytes
    unknown = bytearray(made["flac"])
    unknown[place] &= 0xF0
    unknown[place + 1 : place + 5] = bytes(4)
    expect_tones(read(written(tmp_path, bytes(unknown), "piped.flac")))
    assert declared_length(tmp_path / "piped.flac", RATE) == 3 * RATE
    expect_tones(read(written(tmp_path, made["flac"] * 2, "joined.flac")), 6)


@pytest.mark.parametrize(("size", "of_all"), [(0, 0), (0, None), (2**32 - 1, 2**32 - 1), (0x7FFFF000, None), (None, 0)])
def test_a_wav_whose_recorder_crashed_is_read_completely(made, tmp_path, size, of_all):
    expect_tones(read(written(tmp_path, riff(made["wav"], size, of_all), "song.wav")))


@pytest.mark.parametrize("spoil", [lambda wav: riff(wav, 100_000), lambda wav: wav + wav], ids=["stale", "joined"])
def test_a_wav_with_data_after_its_sound_is_refused(made, tmp_path, spoil):
    with pytest.raises(AudioError, match=r"\d+ bytes follow the \d+ samples that its header declares"):
        read(written(tmp_path, spoil(made["wav"]), "song.wav"))


def test_chunks_after_the_sound_are_ignored(made, tmp_path):
    chunks = b"LIST" + struct.pack("<I", 400_000) + bytes(400_000) + b"id3 " + struct.pack("<I", 10) + bytes(10)
    expect_tones(read(written(tmp_path, made["wav"] + chunks, "song.wav")))


@pytest.mark.parametrize("name", ["info.mp3", "xing.mp3", "aac.m4a", "flac.flac", "wav.wav"])
def test_half_of_a_file_whose_header_gives_its_length_is_refused(made, tmp_path, name):
    content = made[name.partition(".")[0]]
    with pytest.raises(AudioError, match="truncated: its header declares more than the"):
        read(written(tmp_path, content[: len(content) // 2], name))


@pytest.mark.parametrize("name", ["w64", "caf", "aiff", "au", "tta"])
def test_half_of_a_rarer_file_is_refused(tmp_path, name):
    codec, container, rate = CODED[name]
    content = encoded(tones(1, 1, 1), codec, container, rate=rate)
    with pytest.raises(AudioError, match="truncated"):
        read(written(tmp_path, content[: len(content) // 2], f"song.{name}"))


def test_macos_sidecar_files_do_not_matter(made, tmp_path):
    written(tmp_path, b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(4000), "._song.mp3")
    expect_tones(read(written(tmp_path, made["cbr"], "song.mp3")))


def test_one_of_several_streams_can_be_chosen(tmp_path):
    sounds = [tones(1), tones(1, 1, 1)]
    path = written(tmp_path, encoded(sounds, "aac", "mp4"), "two.mp4")
    assert read(path).samples.shape[1] == pytest.approx(RATE, abs=2 * FRAME)
    expect_tones(read(path, number=1))
    with pytest.raises(AudioError, match="holds 2 sounds; number 2, counted from 0, is not among them"):
        read(path, number=2)


def test_the_default_stream_is_read(tmp_path):
    mode = {"default_mode": "passthrough"}
    content = encoded([tones(1), tones(1, 1, 1)], "flac", "matroska", options=mode, default=1)
    expect_tones(read(written(tmp_path, content, "two.mka")))


def video(name):
    """A picture that moves, without sound."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=name) as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        for _ in range(5):
            file.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        file.mux(stream.encode(None))
    return buffer.getvalue()


NOTHING = {
    "nothing": (b"", "not readable as audio"),
    "a page": (b"<!DOCTYPE html><html>" + b"<p>no such song</p>" * 500, "not readable as audio"),
    "a playlist": (b"#EXTM3U\n#EXTINF:5,\nsong.mp3\n", "not readable as audio"),
    "a list of parts": (b"ffconcat version 1.0\nfile song.mp3\n", "not readable as audio"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + garbage(500), "not readable as audio"),
    "noise": (garbage(5000), "not readable as audio"),
    "a film": (video("mp4"), "holds no sound, only pictures"),
}


@pytest.mark.parametrize("what", NOTHING)
@pytest.mark.parametrize("name", ["a.mp3", "a.wav", "a.m4a", "a.flac"])
def test_other_files_are_refused_and_the_decoder_prints_nothing(tmp_path, what, name, capfd):
    content, reason = NOTHING[what]
    with pytest.raises(AudioError, match=rf"{name}: {reason}") as error:
        read(written(tmp_path, content, name))
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_encrypted_files_are_refused(made, tmp_path):
    key = dict(encryption_scheme="cenc-aes-ctr", encryption_key="76" * 16, encryption_kid="a7" * 16)
    for content in (made["aac"].replace(b"mp4a", b"drms"), encoded(tones(1), "aac", "mp4", options=key)):
        with pytest.raises(AudioError, match="encrypted, so that only its seller's program plays it"):
            read(written(tmp_path, content, "song.m4a"))


def test_a_file_of_which_little_can_be_decoded_is_refused(made, tmp_path):
    content = bytearray(made["aac"])
    place = content.index(b"mdat") + 4
    content[place:] = garbage(len(content) - place)
    with pytest.raises(AudioError, match=r"damaged: \d+ of its \d+ packets cannot be decoded"):
        read(written(tmp_path, bytes(content), "song.m4a"))


def test_damage_is_reported_in_one_line_and_the_decoder_prints_nothing(made, tmp_path, capfd):
    for n, content in enumerate(made.values()):
        path = written(tmp_path, content[:3000] + garbage(500) + content[4000:], f"{n}.mp3")
        with suppress(AudioError):
            read(path)
    assert capfd.readouterr().err == ""


def test_a_warning_counts_the_packets_that_are_left_out(made, tmp_path, caplog):
    content = made["VBR"] if "VBR" in made else next(iter(made.values()))
    spoilt = b"".join(content[n : n + 4000] + garbage(2000) for n in range(0, len(content), 6000))
    read(written(tmp_path, content, "whole.mp3"))
    assert caplog.text == ""
    with suppress(AudioError):
        read(written(tmp_path, spoilt, "spoilt.mp3"))
        assert "spoilt.mp3: damaged: " in caplog.text and "are left out" in caplog.text
