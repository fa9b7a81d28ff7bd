"""Take a picture of a run's page for the site: ``screenshot.py RUN NAME SECTION [SECTION ...]``.

It goes to docs/images/NAME.webp, and shows the page from the first of the sections to the last,
which are named as in its links: probes, map, density. It needs Chromium. ``report`` is of the
tutorial's run, with its probe (probes map); those of the gallery are named by their section.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def take(run: Path, sections: list[str]) -> bytes:
    """The page from the first of the sections to the last, as PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS, "--disable-component-update"]
        )
        page = browser.new_page(viewport={"width": 1000, "height": 800}, color_scheme="light")
        page.goto((run / "report.html").absolute().as_uri())
        boxes = [page.locator(f"#{name}").bounding_box() for name in sections]
        found = [box for box in boxes if box is not None]
        assert len(found) == len(sections), f"{run} has no such section among {sections}"
        top, last = found[0]["y"] - 10, found[-1]
        clip = {"x": 0, "y": top, "width": 1000, "height": last["y"] + last["height"] + 10 - top}
        taken = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
        browser.close()
    return taken


if __name__ == "__main__":
    run, name, *sections = sys.argv[1:]
    image = Image.open(io.BytesIO(take(Path(run), sections))).convert("RGB")
    picture = IMAGES / f"{name}.webp"
    image.save(picture, quality=82, method=6)
    print(picture, image.size, picture.stat().st_size, "bytes")
