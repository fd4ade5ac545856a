"""Preparation of the words of a command line for Hydra."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_object
from omegaconf import OmegaConf

from svdx.app.arguments import PATHS, as_typed
from svdx.app.run_directory import COMPARED_BY_CONTENT
from svdx.app.validation import FILES, settings, targets
from svdx.schema.checks import describe, options_of
from tests.app.test_configs import CONF
from tests.robustness.test_names import NAMES

PATHS_OF_PEOPLE = {
    **NAMES,
    "a year": "2024_05",
    "a version": "1.10",
    "an exponent": "1e3",
    "true": "true",
    "not a number": "nan",
    "a bracket": "live (1.mp3",
    "an apostrophe": "it's",
    "an apostrophe in front": "'tis",
    "an equals sign": "a=b",
    "an accent": "été",
    "a pattern": "müsic = */**/*.mp3",
    "a comma": "one, two.mp3",
    "no interpolation": "costs ${5}",
    "two quoted words": "'a' b 'c'",
}


def read(word):
    """What Hydra and OmegaConf make of `key=value`."""
    (override,) = OverridesParser.create().parse_overrides([word])
    return OmegaConf.create({"path": override.value(), "here": "there"}).path


@pytest.mark.parametrize("path", PATHS_OF_PEOPLE.values(), ids=PATHS_OF_PEOPLE)
@pytest.mark.parametrize("exists", [False, True], ids=["missing", "existing"])
def test_hydra_reads_a_path_as_typed(tmp_path, monkeypatch, path, exists):
    monkeypatch.chdir(tmp_path)
    if exists:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    elif "${oc.env" in path:
        return  # an interpolation, unless a file has that name
    for key in ("audio", "data.root", "++hydra.run.dir"):
        (word,) = as_typed([f"{key}={path}"])
        assert word.startswith(f"{key}=") and read(word) == path
        assert as_typed([word]) == [word]


@pytest.mark.parametrize("key", sorted(PATHS))
def test_every_path_key_accepts_a_path_that_hydra_reads_as_a_number(key):
    (word,) = as_typed([f"{key}=1_000"])
    assert read(word) == "1_000"


def test_every_option_annotated_as_a_path_is_a_path_key():
    found = {*FILES, *COMPARED_BY_CONTENT, "hydra.run.dir", "hydra.sweep.dir"}
    found |= {key for key, option in settings().items() if is_path(option)}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for entry in ("train", "evaluate", "explain"):
            nodes = OmegaConf.to_container(compose(entry, ["paths.run=run"]), resolve=True)
            for section, node in targets(nodes):
                options = options_of(get_object(node["_target_"])).items()
                found |= {section + name for name, option in options if name in node and is_path(option)}
    assert {"data.corpus.root", "store.directory", "audio"} < found <= PATHS


def is_path(option):
    return "a path" in describe(option.annotation)


def test_a_tilde_is_expanded_after_the_key(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert as_typed(["audio=~/a.mp3", "data.root=~"]) == [f"audio={tmp_path}/a.mp3", f"data.root={tmp_path}"]
    monkeypatch.chdir(tmp_path)
    Path("~").mkdir()
    assert read(as_typed(["data.root=~"])[0]) == "~"


def test_quotes_sweeps_and_interpolations_are_kept():
    words = ["audio=null", "classifier.weights=null", "hydra.run.dir=runs/${seed}", "audio='quoted = *.mp3'"]
    assert as_typed(words) == words
    (word,) = as_typed(["hydra.run.dir=ergebnisse/größe/${here}"])
    assert read(word) == "ergebnisse/größe/there"


def test_values_of_other_keys_are_unchanged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("1,2").touch()
    words = ["thresholds=[0.1,0.2]", "seed=1,2", "~compare.methods.slime", "+x={a: 1}", "experiment=compare"]
    assert as_typed(words) == words


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_flags_may_stand_anywhere(flag, place):
    words = ["data=folder", "explainer.threshold=0.1,0.2"]
    assert as_typed([*words[:place], flag, *words[place:]]) == [flag, *words]


def test_a_flag_keeps_its_value():
    words = ["data=folder", "--cfg", "job", "seed=1", "--package", "data"]
    assert as_typed(words) == ["--cfg", "job", "--package", "data", "data=folder", "seed=1"]


def test_commas_separate_paths_only_in_a_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert as_typed(["audio=a,1e3"]) == ["audio='a,1e3'"]
    assert as_typed(["-m", "data.root=a,1e3"]) == ["-m", "data.root=a,'1e3'"]
    assert as_typed(["-m", "audio=choice(a,b)"]) == ["-m", "audio=choice(a,b)"]
    assert as_typed(["-m", "hydra.sweep.dir=a,b"]) == ["-m", "hydra.sweep.dir='a,b'"]
    Path("a,1e3").mkdir()
    assert as_typed(["-m", "data.root=a,1e3"]) == ["-m", "data.root='a,1e3'"]
