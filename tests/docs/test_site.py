"""The site: it builds without a warning, leads nowhere that isn't there, and asks for nothing."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.report.test_page import CHROMIUM, FLAGS

ROOT = Path(__file__).parent.parent.parent
# What a browser fetches by itself, as against what a reader may click.
FETCHED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src")}
OF_A_STYLE = re.compile(r"(?:@import|url\()\s*['\"]?(?:https?:)?//")

pytestmark = pytest.mark.slow


class Links(HTMLParser):
    """The names of a page's places, where it leads, and what it fetches."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.leads: list[str] = []
        self.fetches: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        for name, value in attrs:
            if name == "id":
                self.places.add(value)
            elif (tag, name) in FETCHED:
                self.fetches.append(value)
            elif (tag, name) == ("a", "href"):
                self.leads.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-d", str(out / "trees")]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(out / "html")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return out / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    return {p: Links(p.read_text()) for p in sorted(site.rglob("*.html"))}


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Links]) -> None:
    lost = []
    for page, links in pages.items():
        for link in [*links.leads, *links.fetches]:
            url = urlsplit(link)
            if url.scheme or url.netloc or not (url.path or url.fragment):
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            found = target.is_file() and (
                not url.fragment
                or target.suffix != ".html"
                or unquote(url.fragment) in pages[target].places
            )
            if not found:
                lost.append(f"{page.relative_to(site)}: {link}")
    assert lost == []


def test_links_to_elsewhere_are_whole(pages: dict[Path, Links]) -> None:
    elsewhere = {link for links in pages.values() for link in links.leads if "//" in link}
    assert all(re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", link) for link in elsewhere)


def test_no_page_fetches_from_another_host(site: Path, pages: dict[Path, Links]) -> None:
    for page, links in pages.items():
        fetched = [urlsplit(link) for link in links.fetches]
        assert [u for u in fetched if u.netloc or u.scheme not in ("", "data")] == [], page
    for sheet in site.rglob("*.css"):
        assert OF_A_STYLE.findall(sheet.read_text()) == [], sheet


def test_every_page_can_be_reached_from_the_first(site: Path, pages: dict[Path, Links]) -> None:
    seen, waiting = set(), [site / "index.html"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        links = (urlsplit(link) for link in pages[page].leads)
        targets = ((page.parent / unquote(u.path)).resolve() for u in links if not u.netloc)
        waiting += [t for t in targets if t in pages]
    assert {p.name for p in pages.keys() - seen} <= {"search.html"}


def test_every_verb_and_setting_has_its_place(site: Path) -> None:
    from ensue.configuration import settings
    from ensue.models.registry import FAMILIES
    from ensue.runs.plan import section_classes
    from ensue.verbs import VERBS

    commands = (site / "reference" / "command-line.html").read_text()
    told = (site / "reference" / "settings.html").read_text()
    functions = (site / "reference" / "verbs.html").read_text()
    assert [v for v in VERBS if f'id="ensue-{v}"' not in commands] == []
    assert [
        verb
        for verb in VERBS.values()
        if f'id="{verb.function.replace(":", ".")}"' not in functions
    ] == []
    names = [s.name for f in FAMILIES for cls in section_classes(f).values() for s in settings(cls)]
    assert [n for n in names if f">{n}<" not in told] == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None or shutil.which("chromium") is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


def test_pages_are_whole_wide_and_narrow_and_ask_for_nothing(
    browser: Any, site: Path, pages: dict[Path, Links]
) -> None:
    narrow = browser.new_page(viewport={"width": 400, "height": 800})
    asked: list[str] = []
    complaints: list[str] = []
    narrow.on("request", lambda r: asked.append(r.url))
    narrow.on("console", lambda m: complaints.append(m.text))
    for page in pages:
        narrow.goto(page.as_uri())
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 400, page
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert complaints == []


def test_formulas_are_drawn_by_the_browser(browser: Any, site: Path) -> None:
    page = browser.new_page()
    page.goto((site / "explanation" / "info-nce.html").as_uri())
    formulas = page.locator("math")
    assert formulas.count() > 30
    assert page.locator("script[src*=athjax], script[src*=athJax]").count() == 0
    fraction = page.locator("math mfrac").first.bounding_box()
    assert fraction is not None
    assert fraction["height"] > 24  # two lines: a browser without MathML would write them in one
