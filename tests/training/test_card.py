"""The model card says what the run's own files say."""

import json
import shutil
from pathlib import Path

import yaml

from ensue import load
from ensue.cli import main


def test_it_tells_the_data_the_network_and_the_training(cpc_run: Path) -> None:
    card = (cpc_run / "model" / "README.md").read_text()
    model = load(cpc_run).model
    last = json.loads((cpc_run / "metrics.jsonl").read_text().splitlines()[-1])
    facts = json.loads((cpc_run / "data.json").read_text())
    for line in (
        f"| parameters | {sum(p.numel() for p in model.parameters()):,} |",
        "| sample rate | 8,000 Hz |",
        f"| hop | {model.hop} samples (10.0 ms) |",
        f"| receptive field | {model.receptive_field} samples",
        "| frame rate | 100 Hz |",
        f"| optimizer steps | {last['step']} |",
        f"{last['val_loss']:.3f} nats (chance {last['val_chance_loss']:.3f})",
        f"| items | {facts['num_items']} |",
        "InfoNCE",
        "can't generate",
        "from ensue import CPC",
    ):
        assert line in card
    assert facts["num_train"] + facts["num_validation"] == facts["num_items"] == 10
    assert 0 < facts["hours"] < 10 * 1.1 / 3600


def test_its_header_is_read_by_the_hub(cpc_run: Path) -> None:
    _, header, _ = (cpc_run / "model" / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(header) == {"library_name": "ensue", "tags": ["cpc", "audio"]}


def test_a_probe_is_added(recordings: Path, cpc_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(cpc_run, run)
    (run / "probes.json").unlink(missing_ok=True)
    assert main(f"probe {run} {recordings} --label label --quiet".split()) == 0
    card = (run / "model" / "README.md").read_text()
    (probe,) = json.loads((run / "probes.json").read_text())["probes"]
    for row in probe["accuracies"]:
        assert f"| {row['features']} | {row['accuracy']:.1%} (" in card


def test_a_table_has_a_card_too(nvp_run: Path) -> None:
    card = (nvp_run / "model" / "README.md").read_text()
    assert "change of variables" in card
    assert "hop" not in card
    assert "No probe has been run yet" in card
