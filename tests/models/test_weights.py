"""Weight files: networks are restored, no code is executed, and errors name their cause."""

import copy
import pickle
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from svdx.errors import ConfigError, WeightsError
from svdx.files import archives
from svdx.models import SVDNet, UpConv, load_classifier, load_inverter
from svdx.models.standardisation import load_standardisation
from svdx.models.weights import fingerprint, save
from svdx.training.checkpoints import Checkpoints

DATA = Path(__file__).parent.parent / "data"


def same(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def refusal(path, load=load_classifier, *arguments):
    with pytest.raises(WeightsError) as error:
        load(path, *arguments)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def inverter(classifier):
    network = UpConv(8)
    network.inverts = fingerprint(classifier)
    for norm in network.norm_layers():
        norm.running_mean.normal_()
    return network


@pytest.fixture
def files(tmp_path, classifier, inverter):
    """A classifier's and its inverter's .safetensors file."""
    save(classifier, tmp_path / "new" / "classifier.safetensors")
    save(inverter, tmp_path / "new" / "inverter.safetensors")
    return tmp_path / "new" / "classifier.safetensors", tmp_path / "new" / "inverter.safetensors"


def test_a_safetensors_file_restores_the_network(files, classifier, inverter):
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["classifier.safetensors", "inverter.safetensors"]
    for loaded, stored in ((load_classifier(files[0]), classifier), (load_inverter(files[1], classifier), inverter)):
        assert same(loaded, stored)
        assert not loaded.training
        assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert load_inverter(files[1], classifier).inverts == inverter.inverts
    assert load_inverter(files[1], classifier).width == 8


def test_networks_of_other_sizes_are_restored(tmp_path):
    stored = SVDNet(frames=60, bands=40)
    save(stored, tmp_path / "small.safetensors")
    loaded = load_classifier(tmp_path / "small.safetensors")
    assert (loaded.frames, loaded.bands) == (60, 40)
    assert same(loaded, stored)


def test_threshold_and_standardisation_can_be_replaced(files, classifier, tmp_path):
    np.savez(tmp_path / "s.npz", mean=np.arange(80.0), std=np.full(80, 2.0))
    given = load_classifier(files[0], tmp_path / "s.npz", threshold=0.25)
    assert given.threshold.item() == 0.25
    assert given.mean.tolist() == list(range(80))
    assert given.std.tolist() == [2.0] * 80
    assert load_classifier(files[0]).threshold.item() == pytest.approx(0.66)
    assert torch.equal(given.fc7.weight, classifier.fc7.weight)


def test_standardisation_from_csv_equals_that_from_npz(tmp_path):
    mean, std = np.linspace(-3, -5, 80), np.linspace(1, 2, 80)
    np.savez(tmp_path / "s.npz", mean=mean, std=std)
    rows = [f"{band},{mean[band]},{std[band]}\n" for band in range(80)]
    (tmp_path / "s.csv").write_text("band,mean,std\n" + "".join(rows))
    for name in ("s.npz", "s.csv"):
        found = load_standardisation(tmp_path / name, 80)
        torch.testing.assert_close(found, (torch.from_numpy(mean).float(), torch.from_numpy(std).float()))


def test_the_fingerprint_depends_on_weights_but_not_on_standardisation_or_threshold(classifier):
    before = fingerprint(classifier)
    for buffer in (classifier.threshold, classifier.mean, classifier.std):
        buffer.fill_(0.1)
    assert fingerprint(classifier) == before == fingerprint(copy.deepcopy(classifier))
    for name in ("fc9.bias", "conv1.weight"):
        other = copy.deepcopy(classifier)
        other.state_dict()[name][-1] += 1e-3
        assert fingerprint(other) != before


def test_missing_files_are_refused(tmp_path, classifier):
    for suffix in ("ckpt", "safetensors", "npz"):
        assert "no such file" in refusal(tmp_path / f"gone.{suffix}")
        assert "no such file" in refusal(tmp_path / f"gone.{suffix}", load_inverter, classifier)


def test_unknown_kinds_of_file_are_refused(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"?")
    assert "expected .ckpt, .safetensors or .npz" in refusal(tmp_path / "weights.pth")


def test_swapped_networks_are_refused(files, classifier):
    assert "holds upconv, expected svdnet; are classifier and inverter swapped?" in refusal(files[1])
    assert "holds svdnet, expected upconv" in refusal(files[0], load_inverter, classifier)
    assert "not an SVDNet: 52 arrays, expected 14" in refusal(DATA / "inverter_weights_16.npz")


def test_an_inverter_of_another_classifier_is_refused(files, classifier):
    own, other = fingerprint(classifier), copy.deepcopy(classifier)
    other.fc8.bias[0] += 1
    assert f"classifier {own}, not this one ({fingerprint(other)})" in refusal(files[1], load_inverter, other)
    other.fc8.bias[0] = classifier.fc8.bias[0]
    other.threshold.fill_(0.9)  # another threshold is still the same classifier
    assert load_inverter(files[1], other).inverts == own


def arrays_of(path):
    with np.load(path) as file:
        return dict(file)


def test_pickled_objects_in_an_npz_are_refused(tmp_path, classifier):
    arrays = arrays_of(DATA / "inverter_weights_16.npz") | {"param3": np.array([Marker(tmp_path / "ran")])}
    np.savez(tmp_path / "evil.npz", **arrays)
    assert "expected plain arrays" in refusal(tmp_path / "evil.npz", load_inverter, classifier)
    assert not (tmp_path / "ran").exists()


def test_an_npz_with_other_arrays_is_refused(tmp_path, classifier):
    arrays = arrays_of(DATA / "inverter_weights_16.npz")
    np.savez(tmp_path / "shape.npz", **arrays | {"param4": np.ones(63, np.float32)})
    reason = refusal(tmp_path / "shape.npz", load_inverter, classifier)
    assert "shape (63,) where (64,) is needed" in reason
    np.savez(tmp_path / "names.npz", weights=arrays["param0"])
    assert "expected plain arrays param0" in refusal(tmp_path / "names.npz", load_inverter, classifier)
    np.savez(tmp_path / "few.npz", param0=arrays["param0"])
    assert "1 arrays, expected 52" in refusal(tmp_path / "few.npz", load_inverter, classifier)


class Marker:
    """Unpickled, it would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_that_holds_code_is_refused_and_not_executed(tmp_path):
    pickle.loads(pickle.dumps(Marker(tmp_path / "works")))
    assert (tmp_path / "works").exists()
    torch.save({"state_dict": {}, "svdx": Marker(tmp_path / "ran")}, tmp_path / "evil.ckpt")
    assert "damaged, or not a weight file of svdx" in refusal(tmp_path / "evil.ckpt")
    (tmp_path / "plain.ckpt").write_bytes(pickle.dumps(Marker(tmp_path / "ran"), protocol=2))
    assert "damaged, or not a weight file of svdx" in refusal(tmp_path / "plain.ckpt")
    assert not (tmp_path / "ran").exists()


def test_truncated_files_are_refused(tmp_path, files, classifier):
    torch.save({"state_dict": classifier.state_dict()}, tmp_path / "whole.ckpt")
    whole = {"safetensors": files[0], "ckpt": tmp_path / "whole.ckpt", "npz": DATA / "inverter_weights_16.npz"}
    for suffix, path in whole.items():
        content = path.read_bytes()
        for share in (0, 0.5, 0.99):
            cut = tmp_path / f"cut.{suffix}"
            cut.write_bytes(content[: int(len(content) * share)])
            refusal(cut)


@pytest.mark.parametrize("place", range(5000, 65000, 5000))
def test_a_damaged_array_in_an_npz_is_refused(tmp_path, classifier, place):
    content = bytearray((DATA / "inverter_weights_16.npz").read_bytes())
    content[place : place + 8] = b"\xff" * 8
    (tmp_path / "rot.npz").write_bytes(content)
    refusal(tmp_path / "rot.npz", load_inverter, classifier)


DAMAGES = {
    "nan": ({"param0": lambda array: array * np.nan}, "not finite"),
    "inverse std 0": ({"param4": lambda array: array * 0}, "not finite"),
    "words": ({"param0": lambda array: array.astype("U8")}, "some of them hold no numbers"),
    "no width": ({"param10": lambda array: np.zeros((16, 0, 4, 4), np.float32)}, "not an inverter"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("damage", DAMAGES)
def test_an_npz_of_impossible_values_is_refused(tmp_path, classifier, damage):
    changes, reason = DAMAGES[damage]
    arrays = arrays_of(DATA / "inverter_weights_16.npz")
    np.savez(tmp_path / "odd.npz", **arrays | {name: change(arrays[name]) for name, change in changes.items()})
    assert reason in refusal(tmp_path / "odd.npz", load_inverter, classifier)


@pytest.mark.parametrize("name, value", [("fc9.weight", np.nan), ("mean", np.inf), ("threshold", np.nan)])
def test_an_export_of_non_finite_weights_is_refused(tmp_path, classifier, name, value):
    classifier.state_dict()[name].fill_(value)
    save(classifier, tmp_path / "odd.safetensors")
    assert "holds weights that are not finite" in refusal(tmp_path / "odd.safetensors")


def test_a_standard_deviation_of_zero_is_refused_unless_replaced(tmp_path, classifier):
    classifier.std[3] = 0
    save(classifier, tmp_path / "odd.safetensors")
    assert "a standard deviation that is not positive" in refusal(tmp_path / "odd.safetensors")
    load_classifier(tmp_path / "odd.safetensors", (torch.zeros(80), torch.ones(80)))


@pytest.mark.parametrize("sizes", [{}, {"frames": "x", "bands": "80"}, {"frames": "-5", "bands": "80"}])
def test_an_export_without_its_size_is_refused(tmp_path, sizes):
    save_file({}, tmp_path / "odd.safetensors", metadata={"network": "svdnet", **sizes})
    assert "no network can be built of" in refusal(tmp_path / "odd.safetensors")


def test_an_inverter_of_another_excerpt_size_is_refused(tmp_path, classifier):
    small = UpConv(8, frames=100, bands=60)
    small.inverts = fingerprint(classifier)
    save(small, tmp_path / "small.safetensors")
    reason = refusal(tmp_path / "small.safetensors", load_inverter, classifier)
    assert "makes 100 frames of 60 bands, the classifier takes 115 frames of 80 bands" in reason
    path = DATA / "inverter_weights_16.npz"
    assert "the classifier takes 100 frames" in refusal(path, load_inverter, SVDNet(frames=100))


@pytest.mark.parametrize("threshold", [2, -0.1, float("nan"), "high", True])
def test_a_decision_threshold_outside_0_to_1_is_refused(files, threshold):
    with pytest.raises(ConfigError, match=f"classifier.threshold={threshold}: expected a probability"):
        load_classifier(files[0], threshold=threshold)


def test_a_path_that_is_a_number_is_a_file_name():
    with pytest.raises(WeightsError, match=r"^5: no such file$"):
        load_classifier(5)


def test_an_npz_classifier_needs_a_standardisation(tmp_path, classifier):
    path = tmp_path / "model.npz"
    arrays = []
    for layer in classifier.layers():
        weight = layer.weight.numpy()
        arrays += [weight[..., ::-1, ::-1] if weight.ndim == 4 else weight.T, layer.bias.numpy()]
    np.savez(path, **{f"param{i}": array for i, array in enumerate(arrays)})
    assert "give classifier.standardisation=FILE" in refusal(path)
    np.savez(tmp_path / "s.npz", mean=classifier.mean, std=classifier.std)
    loaded = load_classifier(path, tmp_path / "s.npz", threshold=0.66)
    assert same(loaded, classifier)
    assert fingerprint(loaded) == fingerprint(classifier)


STANDARDISATIONS = {
    "short.npz": (dict(mean=np.zeros(79), std=np.ones(79)), "expected 80 finite means"),
    "unequal.npz": (dict(mean=np.zeros(80), std=np.ones(81)), "expected 80 finite means"),
    "zero.npz": (dict(mean=np.zeros(80), std=np.zeros(80)), "80 positive standard deviations"),
    "nan.npz": (dict(mean=np.full(80, np.nan), std=np.ones(80)), "expected 80 finite means"),
    "names.npz": (dict(average=np.zeros(80)), "not a standardisation"),
    "short.csv": ("band,mean,std\n0,1,1\n", "expected 80 finite means"),
    "words.csv": ("band,mean,std\n0,one,two\n", "not a standardisation"),
    "stump.csv": ("band,mean,std\n0,1\n", "not a standardisation"),
    "columns.csv": ("m,s\n0,1\n", "not a standardisation"),
    "empty.npz": ("", "not a standardisation"),
    "text.npz": ("mean", "not a standardisation"),
}


@pytest.mark.parametrize("name", STANDARDISATIONS)
def test_invalid_standardisations_are_refused(tmp_path, name):
    content, reason = STANDARDISATIONS[name]
    if isinstance(content, str):
        (tmp_path / name).write_text(content)
    else:
        np.savez(tmp_path / name, **content)
    assert reason in refusal(tmp_path / name, load_standardisation, 80)


def test_checkpoints_of_other_programs_are_refused(tmp_path):
    torch.save({"state_dict": {"network.w": torch.ones(1)}}, tmp_path / "other.ckpt")
    assert "holds weights of another program, expected svdnet" in refusal(tmp_path / "other.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    assert "not a weight file of svdx" in refusal(tmp_path / "list.ckpt")


DEFECTS = [TypeError, AttributeError, NameError, IndexError, KeyError, ZeroDivisionError]


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_defect_of_svdx_is_not_called_damage(tmp_path, classifier, monkeypatch, kind):
    def defective(*_):
        raise kind("a defect")

    for name in ("a.ckpt", "a.npz"):
        (tmp_path / name).touch()
    monkeypatch.setattr(archives, "_expect_bounded", defective)
    loads = {
        "a.ckpt": [load_classifier, Checkpoints().load_checkpoint],
        "a.npz": [lambda path: load_inverter(path, classifier), lambda path: load_standardisation(path, 80)],
    }
    for name, functions in loads.items():
        for load in functions:
            with pytest.raises(kind, match="a defect"):
                load(tmp_path / name)


@pytest.mark.parametrize("kind", DEFECTS)
def test_any_error_of_another_library_on_a_damaged_file_is_damage(tmp_path, monkeypatch, kind):
    def breaks(*_, **__):
        raise kind("somewhere inside")

    torch.save({"state_dict": {}, "svdx": {}}, tmp_path / "a.ckpt")
    monkeypatch.setattr(torch, "load", breaks)
    assert "damaged, or not a weight file of svdx (" in refusal(tmp_path / "a.ckpt")


@pytest.mark.parametrize("suffix", ["ckpt", "npz", "safetensors"])
def test_ctrl_c_while_a_file_is_read_is_not_called_damage(tmp_path, classifier, suffix):
    """An alarm stands for Ctrl-C, at many moments of the reading."""
    path = tmp_path / f"a.{suffix}"
    arrays = {f"network.{i}": torch.zeros(1000) for i in range(200)}
    {
        "ckpt": lambda: torch.save({"state_dict": arrays, "svdx": {"network": "svdnet"}}, path),
        "npz": lambda: np.savez(path, **arrays),
        "safetensors": lambda: save_file(arrays, path, metadata={"network": "svdnet"}),
    }[suffix]()

    armed, interrupted, messages = False, 0, {refusal(path)}
    begin = time.perf_counter()
    messages.add(refusal(path))
    duration = time.perf_counter() - begin

    def interrupt(*_):
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for moment in np.linspace(0.02, 1, 40) * duration:
            try:
                try:
                    armed = True
                    signal.setitimer(signal.ITIMER_REAL, moment)
                    load_classifier(path)
                except WeightsError as error:
                    messages.add(str(error))
                finally:
                    armed = False
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(messages) == 1  # it holds no network
    assert interrupted > 5


@pytest.mark.parametrize("content", [[1], {"state_dict": 1}, {}, {"state_dict": {"network.a": 1}, "svdx": {}}])
def test_a_checkpoint_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.ckpt")
    assert "damaged, or not a weight file of svdx (it" in refusal(tmp_path / "other.ckpt")
