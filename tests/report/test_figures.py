"""Figures as files: old ones are read, damaged ones are refused, and a failing one loses no page.

The folder ``exhibits`` holds figures of the first version that kept them, their long lists cut.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ensue.report
from ensue.cli import main
from ensue.errors import CheckpointError
from ensue.report import failures
from ensue.report.charts import theme
from ensue.report.figures import FigureRow, collapse, density, map
from ensue.report.page import PAGE
from ensue.report.saved import read_figure, saved
from ensue.training.exhibits import Exhibits
from ensue.training.run_folder import RunFolder

EARLIER = sorted((Path(__file__).parent / "exhibits").rglob("*.json"))
FIGURES = {row.exhibit: row for row in PAGE if isinstance(row, FigureRow)}
CONTENT = b'<?xml version="1.0"?><svg></svg>'


@pytest.fixture
def earlier(tmp_path: Path) -> Callable[[Path], RunFolder]:
    """A run folder with a figure of an earlier version, and the files that it mentions."""

    def lay(path: Path) -> RunFolder:
        run = RunFolder(tmp_path)
        folder = run.exhibits.path
        folder.mkdir()
        shutil.copy(path, folder)
        for name in mentioned(json.loads(path.read_text())):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(CONTENT)
        return run

    return lay


def mentioned(values: Any) -> set[str]:
    """The texts in plain values that are names of files."""
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, list):
        return {name for value in values for name in mentioned(value)}
    is_file = isinstance(values, str) and values.endswith((".png", ".mp3", ".svg"))
    return {values} if is_file else set()


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users have it."""
    monkeypatch.setattr(failures, "STRICT", False)


@pytest.fixture
def copied(nvp_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(nvp_run, tmp_path / "run"))


def section(run: Path, name: str) -> str:
    """A part of a page."""
    page = (run / "report.html").read_text()
    return page.partition(f'<section id="{name}">')[2].partition("</section>")[0]


def test_every_figure_has_one_of_an_earlier_version() -> None:
    assert {path.stem for path in EARLIER} == set(FIGURES)


@pytest.mark.parametrize("path", EARLIER, ids=lambda path: path.stem)
def test_a_figure_of_an_earlier_version_is_read_drawn_and_written_as_it_was(
    path: Path, earlier: Callable[[Path], RunFolder]
) -> None:
    run, row = earlier(path), FIGURES[path.stem]
    module = row._module()
    figure = read_figure(run.exhibits, row.exhibit, module.Figure)
    again = saved(figure)
    assert again.text == path.read_text()
    assert set(again.files) == mentioned(json.loads(path.read_text()))
    assert set(again.files.values()) <= {CONTENT}
    with theme():
        assert row.draw(run) == module.draw(figure) != ""


def test_a_table_from_before_wide_ones_were_cut_is_read(tmp_path: Path) -> None:
    values = json.loads(next(p for p in EARLIER if p.stem == "density").read_text())
    del values["num_columns"]
    (tmp_path / "density.json").write_text(json.dumps(values))
    figure = read_figure(Exhibits(tmp_path), "density", density.Figure)
    assert figure.num_columns is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is damaged: "),
        ("[]", "carries no format number"),
        ('{"format": 99}', "upgrade ensue"),
        ('{"format": 1, "num_items": 3, "num_features": 2}', "damaged: spaces: Field required"),
        (
            '{"format": 1, "num_items": "many", "num_features": 2, "spaces": {}}',
            "damaged: num_items: Input should be a valid integer",
        ),
    ],
)
def test_a_damaged_figure_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "collapse.json").write_text(text)
    with pytest.raises(CheckpointError, match=problem):
        read_figure(Exhibits(tmp_path), "collapse", collapse.Figure)


@pytest.mark.parametrize("name", ["map/0.mp3", "../../secret", "/etc/passwd", ".", 3])
def test_a_missing_file_or_one_elsewhere_is_refused(name: object, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    exhibits = Exhibits(tmp_path / "run" / "exhibits")
    exhibits.path.mkdir(parents=True)
    none = {"items": [], "labels": {}, "explained": [], "pca": [], "tsne": None}
    (exhibits.path / "map.json").write_text(json.dumps({"format": 1, **none, "sounds": [name]}))
    with pytest.raises(CheckpointError, match="is damaged"):
        read_figure(exhibits, "map", map.Figure)


def test_a_page_says_which_figure_could_not_be_made(
    copied: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lenient: None,
) -> None:
    def fail(subject: object) -> None:
        raise RuntimeError("no <room>")

    with monkeypatch.context() as patch:
        patch.setattr(density, "make", fail)
        assert main(f"report {copied} {table} --quiet".split()) == 0
    assert "goes without density: RuntimeError: no <room>\n" in capsys.readouterr().err
    log = (copied / "train.log").read_text()
    assert "Traceback" in log
    assert 'raise RuntimeError("no <room>")' in log
    for _ in range(2):
        assert "couldn't be made: RuntimeError: no &lt;room&gt;" in section(copied, "density")
        assert "<svg" in section(copied, "inside")
        assert main(f"report {copied}".split()) == 0  # from the files
    assert main(f"report {copied} {table} --quiet".split()) == 0
    assert "<svg" in section(copied, "density")


def test_a_page_says_which_figure_could_not_be_drawn(
    copied: Path, capsys: pytest.CaptureFixture[str], lenient: None
) -> None:
    (copied / "exhibits" / "density.json").write_text('{"format": 1}')
    assert main(f"report {copied}".split()) == 0
    assert "goes without density: CheckpointError" in capsys.readouterr().err
    assert "couldn't be made: CheckpointError" in section(copied, "density")
    assert "is damaged: columns: Field required" in (copied / "train.log").read_text()
    assert "<svg" in section(copied, "inside")


def test_a_number_that_json_does_not_have_costs_one_figure(
    copied: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lenient: None,
) -> None:
    monkeypatch.setattr(collapse, "uniformity", lambda embeddings: float("nan"))
    assert main(f"report {copied} {table} --quiet".split()) == 0
    assert "goes without collapse: ValueError" in capsys.readouterr().err
    assert "couldn't be made" in section(copied, "collapse")
    assert "<svg" in section(copied, "density")


def test_a_failing_figure_fails_a_test(copied: Path) -> None:
    (copied / "exhibits" / "density.json").write_text('{"format": 1}')
    with pytest.raises(CheckpointError):
        ensue.report.write_report(RunFolder(copied))


def test_every_module_has_its_place_in_the_page() -> None:
    folder = Path(ensue.report.__file__).parent
    modules = {
        f"ensue.report.{room}.{path.stem}"
        for room in ("figures", "panels")
        for path in (folder / room).glob("*.py")
        if path.stem != "__init__"
    }
    listed = {row.module for row in PAGE} | {row.above for row in FIGURES.values() if row.above}
    assert modules == listed | {"ensue.report.panels.summary"}
