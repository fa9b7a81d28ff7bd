"""CPC on images through the verbs: trained, embedded, scored, probed, continued, refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import ensue
from ensue.cli import main
from ensue.configuration import to_plain, validate
from ensue.errors import ConfigError, Interrupted
from ensue.models.cpc import CPC, CPCConfig
from ensue.runs.loaded import Loaded
from ensue.training.callbacks import SaveCheckpoint

RUNS = Path(__file__).parents[1] / "golden" / "runs"

HEIGHT, WIDTH = 14, 12
GRID = (6, 5)  # patches of 4 pixels, 2 apart
SETTINGS: dict[str, Any] = {
    "max_steps": 4,
    "batch_size": 4,
    "channels": 8,
    "context_size": 6,
    "patch": 4,
    "patch_width": 4,
    "horizon": 2,
    "directions": ("down", "left"),
    "log_every": 2,
    "validate_every": 2,
    "warmup_steps": 1,
    "validation": 0.3,
    "num_threads": 1,
    "quiet": True,
}
FEATURES = 8 + 2 * 6
WORDS = "--max-steps 1 --batch-size 4 --channels 8 --context-size 6 --patch-width 4 --quiet"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of eight pictures in color, one redder than the other."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name, red in (("dark", 0), ("red", 120)):
        (folder / name).mkdir()
        for i in range(8):
            values = rng.integers(0, 130, (HEIGHT, WIDTH, 3))
            values[..., 0] += red
            Image.fromarray(values.astype(np.uint8)).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensue.train("cpc", images, out=tmp_path_factory.mktemp("run") / "cpc", **SETTINGS).run


def table(path: Path) -> dict[str, Any]:
    return pyarrow.parquet.read_table(path).to_pydict()


def encoded(loaded: Loaded, path: Path, model: Any = None) -> Any:
    with torch.inference_mode():
        x = loaded.codec.encode(loaded.codec.of_user(path))
        return (model or loaded.model).encode(x[None])


def test_embeddings_are_those_of_the_model(images: Path, run: Path, tmp_path: Path) -> None:
    ensue.embed(run, images, out=tmp_path / "e.parquet", quiet=True)
    found, loaded = table(tmp_path / "e.parquet"), ensue.load(run)
    assert found["label"] == ["dark"] * 8 + ["red"] * 8
    for item, vector in zip(found["item"], found["embedding"], strict=True):
        f = encoded(loaded, images / item)
        both = torch.cat([f.local, f.context], dim=-1)[0].mean(0)
        assert len(vector) == FEATURES
        np.testing.assert_allclose(vector, both, atol=1e-5)
        np.testing.assert_allclose(loaded.embed([images / item])[0], vector, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "size"),
    [({"pooling": "cells"}, 9 * FEATURES), ({"embedding": "local"}, 8), ({"layer": "local"}, 8)],
)
def test_embeddings_are_pooled_as_asked(
    options: dict[str, Any], size: int, images: Path, run: Path, tmp_path: Path
) -> None:
    ensue.embed(run, images, out=tmp_path / "e.parquet", quiet=True, **options)
    found, loaded = table(tmp_path / "e.parquet"), ensue.load(run)
    for item, vector in zip(found["item"], found["embedding"], strict=True):
        f = encoded(loaded, images / item)
        assert len(vector) == size
        if size == 8:
            np.testing.assert_allclose(vector, f.local[0].mean(0), atol=1e-5)
            continue
        frames = torch.cat([f.local, f.context], dim=-1).reshape(*GRID, FEATURES)
        first = frames[:2, :2].mean((0, 1))  # of 6 rows in 3 parts, and of 5 columns
        np.testing.assert_allclose(vector[:FEATURES], first, atol=1e-5)


def test_frames_are_patches_row_by_row(images: Path, run: Path, tmp_path: Path) -> None:
    ensue.embed(run, images, out=tmp_path / "f.parquet", level="frame", quiet=True)
    found, loaded = table(tmp_path / "f.parquet"), ensue.load(run)
    assert "time" not in found
    num = GRID[0] * GRID[1]
    assert len(found["item"]) == 16 * num
    rows, columns = (np.reshape(found[n], (16, num)) for n in ("patch_row", "patch_column"))
    assert (rows * GRID[1] + columns == np.arange(num)).all()
    assert (rows.max(), columns.max()) == (GRID[0] - 1, GRID[1] - 1)
    f = encoded(loaded, images / found["item"][num])
    assert f.grid == GRID
    np.testing.assert_allclose(found["features"][num : 2 * num], f.context[0], atol=1e-5)
    np.testing.assert_allclose(
        loaded.frames(images / found["item"][0]), found["features"][:num], atol=1e-5
    )


def test_frames_of_a_layer_have_places_too(images: Path, run: Path, tmp_path: Path) -> None:
    ensue.embed(run, images, out=tmp_path / "f.npz", level="frame", layer="local", quiet=True)
    found = np.load(tmp_path / "f.npz")
    f = encoded(ensue.load(run), images / found["item"][0])
    np.testing.assert_allclose(found["features"][:30], f.local[0], atol=1e-5)
    assert found["patch_row"][:30].tolist() == [i // 5 for i in range(30)]


def test_scores_are_information_and_no_bits(images: Path, run: Path, tmp_path: Path) -> None:
    ensue.score(run, images, out=tmp_path / "s.parquet", quiet=True)
    found = table(tmp_path / "s.parquet")
    assert found["score_kind"] == ["information"] * 16
    assert "bits_per_dim" not in found
    assert max(found["nats"]) <= np.log(GRID[0] * GRID[1])
    one = ensue.load(run).score([images / found["item"][3]])
    assert one[0] == pytest.approx(found["nats"][3], abs=1e-5)


def test_probe_stands_beside_baselines_pooled_alike(images: Path, run: Path) -> None:
    asked: list[dict[str, Any]] = [
        {"knn": 3},
        {"pooling": "cells"},
        {"pooling": "mean"},
        {"pooling": "cells"},
        {"num_labels": 4, "draws": 2},
    ]
    for options in asked:
        ensue.probe(run, images, label="label", quiet=True, **options)
    kept = json.loads((run / "probes.json").read_text())["probes"]
    assert [p.get("pooled") for p in kept] == [None, "mean", "cells", None]
    own, mean, cells, few = ([row["features"] for row in p["accuracies"]] for p in kept)
    assert few[-1] == "cpc (this run)"
    assert kept[-1]["kind"] == "label_curve"
    assert "cpc (this run)" in own
    assert any("3 nearest" in name and "this run" in name for name in own)
    assert mean[-1] == "cpc, mean (this run)"
    assert cells[-1] == "cpc, cells (this run)"
    for names in (own, mean, cells, few):
        told = "; ".join(names)
        for baseline in ("chance", "raw pixels", "HOG", "k-means patch features", "untrained"):
            assert baseline in told


def test_probe_by_fine_tuning_takes_few_steps(
    images: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"probe {run} {images} --label label --finetune --finetune-steps 2 --quiet"
    assert main([*words.split(), "--baselines=false"]) == 0
    out = capsys.readouterr().out
    assert "chance" in out
    assert "fine-tuned" in out


def test_check_tells_of_the_pictures(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(f"check {images} --quiet".split()) == 0
    out = capsys.readouterr().out
    assert "14 x 12" in out
    assert "color (16)" in out


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def test_a_stopped_run_goes_on_to_equal_weights(
    images: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, out = SaveCheckpoint._save, tmp_path / "run"
    settings = {**SETTINGS, "checkpoint_every": 2}

    def stop(self: Any, trainer: Any) -> None:
        write(self, trainer)
        raise KeyboardInterrupt

    monkeypatch.setattr(SaveCheckpoint, "_save", stop)
    with pytest.raises(Interrupted):
        ensue.train("cpc", images, out=out, **settings)
    monkeypatch.undo()
    assert not (out / "model").exists()
    ensue.train("cpc", images, out=out, resume=True, quiet=True)
    assert weights(out) == weights(run)
    assert (out / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()


def test_a_run_starts_from_the_weights_of_another(images: Path, run: Path, tmp_path: Path) -> None:
    settings = {n: SETTINGS[n] for n in ("batch_size", "validation", "num_threads", "quiet")}
    settings |= {"max_steps": 1, "learning_rate": 1e-9}
    other = ensue.train("cpc", images, out=tmp_path / "run", init_from=run, **settings).run
    before, after = (load_file(r / "model" / "model.safetensors") for r in (run, other))
    for name in before:
        torch.testing.assert_close(before[name], after[name], rtol=0, atol=1e-7)
    assert ensue.load(other).model.config.directions == ("down", "left")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train cpc {data} --out {new} {cpc} --patch 16", "a patch"),
        ("train cpc {data} --out {new} {cpc} --patch 10", "a smaller patch or stride, or larger"),
        (
            "train cpc {data} --out {new} {cpc} --patch 4 --horizon 5 --directions down,left",
            "horizon is 5 but the images have 5 columns of patches; use --horizon 4 or less",
        ),
        ("train cpc {data} --out {new} {cpc} --directions forward", "directions are down, up"),
        ("train cpc {data} --out {new} {cpc} --pooling dynamics", "use mean or cells"),
        ("train cpc {sound} --out {new} --patch 8 --max-steps 1 --quiet", "leave patch"),
        (
            "train cpc {data} --out {new} --num-mels 20 --max-steps 1 --quiet",
            "use --encoder patches",
        ),
        ("train cpc {data} --out {new} --encoder waveform --max-steps 1 --quiet", "leave"),
        (
            "train cpc {data} --out {new} {one} --own-sequence false",
            "own_sequence is false and batch_size is 1, so there are no negatives; leave own",
        ),
        ("sample {run} --num 2", "families that do: causal"),
        ("complete {run} {data}", "families that do: causal"),
        ("compress {run} {data} --out {new}.ensue", "families that do"),
        ("embed {run} {data} --out {new}.npz --layer conv1", "unknown layer 'conv1'"),
        ("embed {run} {data} --out {new}.npz --pooling extremes", "use mean or cells"),
        ("score {run} {sound} --out {new}.csv", "this run was trained on image"),
    ],
)
def test_what_does_not_fit_is_one_line(
    words: str,
    said: str,
    images: Path,
    run: Path,
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = {
        "run": run,
        "data": images,
        "sound": recordings,
        "one": WORDS.replace("--batch-size 4", "--batch-size 1"),
    }
    status = main(words.format(**paths, new=tmp_path / "new", cpc=WORDS).split())
    err = capsys.readouterr().err
    assert status == 2
    assert said in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("new*"))


def test_one_picture_has_its_own_patches_as_negatives(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = images / "red" / "0.png"
    assert main(f"train cpc {one} --out {tmp_path}/run {WORDS} --patch 4 --horizon 1".split()) == 0
    assert "too few items to hold some out" in capsys.readouterr().err
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["chance_loss"] == pytest.approx(np.log(30), abs=1e-4)


def test_one_picture_has_no_negatives_in_others(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = images / "red" / "0.png"
    words = f"train cpc {one} --out {tmp_path}/run {WORDS} --patch 4 --own-sequence false"
    assert main(words.split()) == 2
    assert "own_sequence is false and there is one item, so" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_stream_says_why_there_is_none(run: Path) -> None:
    with pytest.raises(ConfigError, match="images have no stream: all patches are there at once"):
        ensue.load(run).model.init_state(1)


def test_flat_settings_of_old_runs_are_those_of_the_model() -> None:
    run = ensue.load(RUNS / "cpc")
    config = validate(CPCConfig, {**run.config["model"], "sample_rate": 8000}, section="model")
    assert CPC(config).config == run.model.config
    saved = json.loads((RUNS / "cpc" / "model" / "config.json").read_text())
    assert CPC(validate(CPCConfig, saved, section="model")).config == run.model.config
    assert validate(CPCConfig, to_plain(run.model.config), section="model") == run.model.config


def test_a_saved_model_with_an_unknown_name_is_refused(run: Path, tmp_path: Path) -> None:
    model = CPC.from_pretrained(run / "model")
    assert model.config == ensue.load(run).model.config
    shutil.copytree(run / "model", tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "patchs": 4}))
    with pytest.raises(ValueError, match=r"unknown.*'patchs'.*did you mean 'patch'"):
        CPC.from_pretrained(tmp_path / "model")
