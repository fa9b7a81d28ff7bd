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
    """The probes and the embedding map of the page, as PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS, "--disable-component-update"]
        )
        page = browser.new_page(viewport={"width": 1000, "height": 800}, color_scheme="light")
        page.goto((run / "report.html").absolute().as_uri())
        first, last = (page.locator(name).bounding_box() for name in ("#probes", "#map"))
        assert first is not None
        assert last is not None
        top, end = first["y"] - 10, last["y"] + last["height"] + 10
        clip = {"x": 0, "y": top, "width": 1000, "height": end - top}
        taken = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
        browser.close()
    return taken


if __name__ == "__main__":
    image = Image.open(io.BytesIO(take(Path(sys.argv[1])))).convert("RGB")
    image.save(PICTURE, quality=82, method=6)
    print(PICTURE, image.size, PICTURE.stat().st_size, "bytes")
