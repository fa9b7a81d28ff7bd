"""What all tests share."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ensue.cli import main
from ensue.report import failures

with warnings.catch_warnings():
    # Its own imports warn; a test shouldn't fail because of which test imports it first.
    warnings.simplefilter("ignore")
    import lightning.pytorch  # noqa: F401


QUICK = (
    "--max-steps 4 --batch-size 4 --warmup-steps 1 --log-every 2 --validate-every 4 "
    "--validation 0.3 --quiet"
)
SMALL = "--channels 8 --context-size 6 --horizon 2 --num-mels 10 --num-negatives 4"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order only: bit-equality laws hold for equal thread counts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="session")
def failing_figures_raise() -> Iterator[None]:
    """A report does without a figure that fails; a test of what it shows must not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failures, "STRICT", True)
        yield


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed drawn anew each time, and shown when the test fails."""
    drawn = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(torch.seed())))
    request.node.user_properties.append(("seed", drawn))
    print(f"seed={drawn}")
    torch.manual_seed(drawn)
    return drawn


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two speakers with five recordings each."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    for speaker, pitch in (("ann", 200), ("bob", 500)):
        (folder / speaker).mkdir()
        for i in range(5):
            time = np.arange(8000 + 100 * i) / 8000
            samples = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.01 * rng.standard_normal(len(time))
            soundfile.write(folder / speaker / f"{i}.wav", samples, 8000)
    return folder


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    rng = np.random.default_rng(0)
    rows = [f"{a:.4f},{b:.4f},{'xy'[i % 2]}" for i, (a, b) in enumerate(rng.normal(5, 3, (60, 2)))]
    path.write_text("\n".join(["height,width,kind", *rows]) + "\n")
    return path


@pytest.fixture(scope="session")
def cpc_run(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "cpc"
    sound = "--sample-rate 8000 --window-seconds 0.3"
    assert main(f"train cpc {recordings} --out {out} {sound} {QUICK} {SMALL}".split()) == 0
    return out


@pytest.fixture(scope="session")
def nvp_run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "nvp"
    assert main(f"train realnvp {table} --out {out} --depth 2 {QUICK}".split()) == 0
    return out


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six texts of 20 to 60 bytes."""
    folder = tmp_path_factory.mktemp("texts")
    for i in range(6):
        (folder / f"{i}.txt").write_text("an apple \u00e9 " * (i + 2))
    return folder


@pytest.fixture(scope="session")
def text_run(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of characters."""
    out = tmp_path_factory.mktemp("runs") / "text"
    small = "--tokens characters --hidden-size 8 --embedding-size 4 --window-tokens 10"
    assert main(f"train charrnn {texts} --out {out} {small} {QUICK}".split()) == 0
    return out
