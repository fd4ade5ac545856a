"""What a run leaves beside its results."""

import json

from omegaconf import OmegaConf

from svdx.provenance import write_summary


def test_a_summary_is_json_whatever_the_results(tmp_path):
    results = {"auroc": float("nan"), "loss": float("inf"), "accuracy": 0.5, "n": 0, "weights": "a.npz"}
    write_summary(tmp_path, OmegaConf.create(), results)

    def refuse(constant):
        raise ValueError(constant)

    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse)
    assert {name: summary[name] for name in results} == results | {"auroc": None, "loss": None}
