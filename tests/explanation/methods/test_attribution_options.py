"""Options and configurations of Captum's methods, and errors without Captum."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from svdx.app.settings import build
from svdx.app.validation import validate_config
from svdx.errors import ConfigError
from svdx.explanation.methods.blocks import KernelShap, Occlusion, Slime
from svdx.explanation.methods.gradients import IntegratedGradients, SmoothGrad
from tests.support.methods import METHODS, every_method
from tests.support.toys import Planted, planted_excerpts

ROOT = Path(__file__).parents[3]
PLANTED, _ = planted_excerpts(3)


@pytest.mark.parametrize(
    "kind, options, message",
    [
        (IntegratedGradients, {"steps": 0}, "steps=0: expected 1 or more"),
        (SmoothGrad, {"samples": 0}, "samples=0: expected 1 or more"),
        (SmoothGrad, {"noise": -0.1}, "noise=-0.1: expected 0 or more"),
        (Slime, {"samples": 1}, "samples=1: expected 2 or more"),
        (Slime, {"kernel_width": 0.0}, "kernel_width=0.0: expected more than 0"),
        (Slime, {"segments": "words"}, "segments=words: expected blocks, temporal or spectral"),
        (KernelShap, {"rows": 0}, "rows=0: expected 1 or more"),
        (KernelShap, {"rows": 1, "segments": "temporal"}, "one block only"),
        (Occlusion, {"window": [3]}, r"window=\[3\]: expected \[frames,bands\]"),
        (Occlusion, {"stride": [0, 2]}, r"stride=\[0,2\]: expected"),
        (Occlusion, {"window": [4, 3], "stride": [5, 1]}, "steps over bins"),
    ],
)
def test_invalid_options_are_refused(kind, options, message):
    with pytest.raises(ConfigError, match=message):
        kind(Planted(), **options)


def test_a_window_larger_than_an_excerpt_is_refused():
    with pytest.raises(ConfigError, match=r"explainer.window=\[19, 20\]: larger than an excerpt"):
        Occlusion(Planted()).score(PLANTED)


@every_method
def test_error_names_the_extra_to_install(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(ConfigError, match=rf"^explainer={kind.name} needs captum: pip install 'svdx\[compare\]'$"):
        kind(Planted())


@pytest.mark.parametrize("kind", [Slime, KernelShap])
def test_linear_models_need_scikit_learn(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ConfigError, match="needs scikit-learn: pip install"):
        kind(Planted())


def test_only_as_attribution_imports_the_extra_at_the_top():
    """Imports every module of svdx without Captum and scikit-learn."""
    code = (
        "import sys; sys.modules['captum'] = sys.modules['sklearn'] = None\n"
        "import importlib, pkgutil, svdx\n"
        "for module in pkgutil.walk_packages(svdx.__path__, 'svdx.'):\n"
        "    if module.name != 'svdx.explanation.as_attribution':\n"
        "        importlib.import_module(module.name)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@every_method
def test_configuration_has_the_defaults_of_the_class(kind):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("evaluate", ["paths.run=run", f"explainer={kind.name}", "explainer.threshold=0.5", "seed=7"])
        validate_config(cfg)
        explainer, plain = build(cfg.explainer, classifier=Planted()), kind(Planted())
    own, default = vars(explainer), vars(plain)
    assert type(explainer) is kind and explainer.name == kind.name and own.get("seed", 7) == 7
    for option in set(own) - {"classifier", "threshold", "seed"}:
        assert own[option] == default[option]
    assert METHODS[kind].keys() <= cfg.explainer.keys()


@pytest.mark.parametrize("word", ["samples=many", "segments=words", "rows=2.5", "kernel_width=wide"])
def test_values_of_the_wrong_type_are_refused(word):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("evaluate", ["paths.run=run", "explainer=slime", f"explainer.{word}"])
        with pytest.raises(ConfigError, match=f"^explainer.{word}: expected"):
            validate_config(cfg)
