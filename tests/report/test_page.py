"""The page, in a browser: it opens at once, asks for nothing, and everything on it works."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ensue.cli import main
from ensue.verbs.train import train

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@dataclass
class Seen:
    """A page, and what it complained of and asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    seconds: float = 0.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def probed_run(recordings: Path, cpc_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("probed") / "run"
    shutil.copytree(cpc_run, run)
    assert main(f"probe {run} {recordings} --label label --quiet".split()) == 0
    return run


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    contexts = []

    def open_page(run: Path, **settings: Any) -> Seen:
        context = browser.new_context(**settings)
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.on("console", lambda m: seen.complaints.append(m.text))
        seen.page.on("pageerror", lambda e: seen.complaints.append(str(e)))
        seen.page.on("request", lambda r: seen.requests.append(r.url))
        begun = time.monotonic()
        seen.page.goto((run / "report.html").absolute().as_uri())
        seen.seconds = time.monotonic() - begun
        return seen

    yield open_page
    for context in contexts:
        context.close()


def test_it_opens_at_once_and_asks_for_nothing(opened: Any, probed_run: Path) -> None:
    seen = opened(probed_run)
    assert seen.seconds < 1
    own, *others = seen.requests
    assert own.endswith("report.html")
    assert all(url.startswith("data:") for url in others)
    assert not seen.complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_the_reader_chooses(
    opened: Any, probed_run: Path, scheme: str
) -> None:
    page = opened(probed_run, color_scheme=scheme).page
    paper = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
    button = page.locator("[data-theme-button]")
    system = paper()
    button.click()
    light = paper()
    button.click()
    dark = paper()
    assert light != dark
    assert system == {"light": light, "dark": dark}[scheme]
    button.click()
    assert paper() == system


def test_the_map_moves_colors_tells_and_plays(
    opened: Any, recordings: Path, probed_run: Path
) -> None:
    seen = opened(probed_run)
    dots = seen.page.locator("[data-map] circle")
    places = lambda: [d.get_attribute("cx") for d in dots.all()]  # noqa: E731
    assert dots.count() == len(list(recordings.rglob("*.wav")))
    by_tsne = places()
    seen.page.get_by_label("PCA").check()
    assert places() != by_tsne
    colors = {dot.get_attribute("style") for dot in dots.all()}
    assert len(colors) == 2  # ann and bob
    seen.page.get_by_role("button", name="ann").click()
    assert seen.page.locator("circle.faded").count() == dots.count() / 2
    dots.first.dispatch_event("click")
    told = seen.page.locator("[data-told]")
    assert "ann/0.wav" in told.inner_text()
    seen.page.wait_for_timeout(200)
    assert "can't" not in told.inner_text()
    seen.page.locator("[data-label]").select_option("nothing")
    assert len({dot.get_attribute("style") for dot in dots.all()}) == 1
    assert not seen.complaints


def test_the_map_obeys_the_keyboard(opened: Any, probed_run: Path) -> None:
    seen = opened(probed_run)
    seen.page.locator("[data-map] svg").focus()
    told = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "Enter"):
        seen.page.keyboard.press(key)
        told.append(seen.page.locator("[data-told]").inner_text())
    assert len(set(told)) > 1
    assert seen.page.locator("circle.chosen").count() == 1
    assert not seen.complaints


def test_a_click_in_a_recording_plays_from_there(opened: Any, probed_run: Path) -> None:
    seen = opened(probed_run)
    clip = seen.page.locator("[data-clip]").first
    stack = clip.locator(".stack")
    stack.scroll_into_view_if_needed()
    box = stack.bounding_box()
    stack.click(position={"x": box["width"] / 2, "y": 20})
    seen.page.wait_for_function(
        "a => !a.paused && a.currentTime > 0.4", arg=clip.locator("audio").element_handle()
    )
    assert float(stack.get_attribute("aria-valuenow")) > 0.4
    stack.press("Enter")
    assert clip.locator("audio").evaluate("a => a.paused")
    assert not seen.complaints


def test_it_fits_a_narrow_screen(opened: Any, probed_run: Path) -> None:
    page = opened(probed_run, viewport={"width": 400, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_every_panel_can_be_reached(opened: Any, probed_run: Path) -> None:
    page = opened(probed_run).page
    links = [a.get_attribute("href") for a in page.locator("nav a").all()]
    assert len(links) >= 8
    assert all(page.locator(link).count() == 1 for link in links)


def test_a_table_shows_its_density(opened: Any, nvp_run: Path) -> None:
    seen = opened(nvp_run)
    assert seen.page.locator("#density figure").count() == 3  # the plane and both columns
    # Values of z, their lengths, log-determinants, scales.
    assert seen.page.locator("#inside figure").count() == 4
    assert seen.page.locator("#map circle").count() == 60
    assert not seen.page.locator("#listening").count()
    assert not seen.complaints


def test_pairs_of_columns_are_shown_and_a_wide_table_is_cut(
    opened: Any, tmp_path: Path, seed: int
) -> None:
    rows = np.random.default_rng(seed).normal(size=(80, 14))
    settings = {"max_steps": 2, "num_threads": 1, "accelerator": "cpu", "quiet": True}
    train("realnvp", rows, out=tmp_path / "run", **settings)
    seen = opened(tmp_path / "run")
    assert seen.page.locator("#density figure").count() == 13  # the pairs and twelve columns
    assert "The first 12 of 14 columns" in seen.page.locator("#density").inner_text()
    assert not seen.complaints


def test_pictures_are_shown_with_neighbors_surprise_and_places(
    opened: Any, picture_run: Path
) -> None:
    seen = opened(picture_run)
    names = [link.inner_text() for link in seen.page.locator("nav a").all()]
    assert "Listening" not in names
    assert seen.page.locator("#neighbors .near").count() == 6
    assert seen.page.locator("#neighbors .near").first.locator("img").count() == 6
    pairs = seen.page.locator("#patches figure")
    assert pairs.count() == 6
    picture, beside = (pairs.first.locator(tag).bounding_box() for tag in ("img", "svg"))
    assert picture["width"] == pytest.approx(beside["width"], abs=1)
    assert picture["height"] == pytest.approx(beside["height"], abs=1)
    maps = seen.page.locator("#patches").get_by_role("img", name="surprise by patch of")
    assert maps.count() == 6
    seen.page.locator("#map circle").first.dispatch_event("click")
    shown = seen.page.locator("#map [data-told] img")
    assert shown.evaluate("i => i.decode().then(() => [i.naturalHeight, i.naturalWidth])") == [
        14,
        12,
    ]
    assert "click" not in seen.page.locator("#map [data-told]").inner_text().lower()
    assert not seen.complaints
    assert all(url.startswith("data:") for url in seen.requests[1:])


def test_pictures_fit_a_narrow_screen(opened: Any, picture_run: Path) -> None:
    page = opened(picture_run, viewport={"width": 400, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_what_a_user_names_is_shown_as_text(opened: Any, probed_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(probed_run, run)
    rude = "</script><script>console.log('heard')</script>"
    for name in ("map", "clips"):
        text = (run / "exhibits" / f"{name}.json").read_text()
        (run / "exhibits" / f"{name}.json").write_text(
            text.replace("ann/0.wav", json.dumps(rude)[1:-1]).replace(
                "bob/", json.dumps(rude)[1:-1]
            )
        )
    assert main(["report", str(run)]) == 0
    seen = opened(run)
    assert seen.page.locator("[data-map] circle").count() == 10
    assert not seen.complaints


def test_showing_it_on_other_data_leaves_the_rest(
    recordings: Path, probed_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(probed_run, run)
    assert main(f"report {run} {recordings / 'ann'} --quiet".split()) == 0
    assert "next: open" in capsys.readouterr().out
    shown = json.loads((run / "exhibits" / "map.json").read_text())["items"]
    assert sorted(shown) == [f"{i}.wav" for i in range(5)]
    assert "What the features tell" in (run / "report.html").read_text()
    assert sorted(p.name for p in run.iterdir() if "tmp" in p.name) == []
