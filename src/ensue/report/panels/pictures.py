"""Images that the model drew and completed, and where in an image the bits go."""

import base64
import html
from typing import Any

from ensue.training.run_folder import RunFolder


def pictures_panel(run: RunFolder) -> str:
    """Sheets of samples, and of completions with the map of bits, or of what lies between."""
    found = run.exhibits.read("pictures")
    if found is None:
        return ""
    captions = _captions(found)
    return "".join(
        _picture(run, name, captions[name.rpartition("/")[2]], "small" if "bits" in name else "")
        for name in found["files"]
    )


def _captions(found: dict[str, Any]) -> dict[str, str]:
    by_class = f" A row each of: {', '.join(found['classes'])}." if found["classes"] else ""
    captions = {
        "samples.png": f"{found['num_samples']} samples.{by_class}",
        "between.png": "In each row two images at the ends, and what lies between them: the line "
        "between their z, brought back.",
    }
    if "bits_per_dim" in found:
        captions["completions.png"] = (
            "In each row an image, its upper half, and how the model would go on, "
            f"{found['num_completions']} times."
        )
        captions["bits.png"] = (
            f"Where the bits go: {found['bits_per_dim']:.3f} bits a dimension in the mean of "
            f"{found['num_scored']} images, from {found['least_bits']:.2f} (dark) to "
            f"{found['most_bits']:.2f} (bright)."
        )
    return captions


def _picture(run: RunFolder, name: str, caption: str, size: str) -> str:
    content = base64.b64encode(run.exhibits.file(name)).decode()
    said = html.escape(caption)
    return (
        f'<figure class="pixels {size}"><img alt="{said}" src="data:image/png;base64,{content}">'
        f"<figcaption>{said}</figcaption></figure>"
    )
