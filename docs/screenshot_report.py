"""Take docs/images/report.webp, the picture of the tutorial: ``screenshot_report.py RUN``.

RUN is the tutorial's run, with its probe. It needs Chromium.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parent / "images" / "report.webp"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def take(run: Path) -> bytes:
    """The page from its top to the end of the embedding map, as PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS, "--disable-component-update"]
        )
        page = browser.new_page(viewport={"width": 1000, "height": 800}, color_scheme="light")
        page.goto((run / "report.html").absolute().as_uri())
        box = page.locator("#map").bounding_box()
        assert box is not None
        clip = {"x": 0, "y": 0, "width": 1000, "height": box["y"] + box["height"] + 10}
        taken = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
        browser.close()
    return taken


if __name__ == "__main__":
    image = Image.open(io.BytesIO(take(Path(sys.argv[1])))).convert("RGB")
    image.save(PICTURE, quality=82, method=6)
    print(PICTURE, image.size, PICTURE.stat().st_size, "bytes")
