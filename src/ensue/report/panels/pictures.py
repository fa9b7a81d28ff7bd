"""Images that the model drew and completed, and where in an image the bits go."""

import base64
import html

from ensue.training.run_folder import RunFolder


def pictures_panel(run: RunFolder) -> str:
    """Sheets of samples and completions, and the map of bits."""
    found = run.exhibits.read("pictures")
    if found is None:
        return ""
    samples, bits, *completions = found["files"]
    by_class = f" A row each of: {', '.join(found['classes'])}." if found["classes"] else ""
    captions = {samples: f"{found['num_samples']} samples.{by_class}"}
    for name in completions:
        captions[name] = (
            "In each row an image, its upper half, and how the model would go on, "
            f"{found['num_completions']} times."
        )
    captions[bits] = (
        f"Where the bits go: {found['bits_per_dim']:.3f} bits a dimension in the mean of "
        f"{found['num_scored']} images, from {found['least_bits']:.2f} (dark) to "
        f"{found['most_bits']:.2f} (bright)."
    )
    return "".join(
        _picture(run, name, caption, "small" if name == bits else "")
        for name, caption in captions.items()
    )


def _picture(run: RunFolder, name: str, caption: str, size: str) -> str:
    content = base64.b64encode(run.exhibits.file(name)).decode()
    said = html.escape(caption)
    return (
        f'<figure class="pixels {size}"><img alt="{said}" src="data:image/png;base64,{content}">'
        f"<figcaption>{said}</figcaption></figure>"
    )
