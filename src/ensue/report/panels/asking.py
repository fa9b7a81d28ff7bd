"""Questions that the model wrote about pictures, with where it looked for each word."""

import base64
import html
from typing import Any

from ensue.report.charts import table
from ensue.training.run_folder import RunFolder


def asking_panel(run: RunFolder) -> str:
    """Pictures word by word, the likeliest questions with their nats, and failures after them."""
    found = run.exhibits.read("asking")
    if found is None:
        return ""
    parts = [
        f"<p>For {found['num_right']} of {found['num_tried']} pictures and answers the likeliest "
        "question is one that somebody asked. Light is where it looked before a word.</p>"
    ]
    for right, title in ((True, "One of the references"), (False, "None of the references")):
        examples = [e for e in found["examples"] if e["right"] == right]
        if examples:
            parts.append(f"<h3>{title}</h3>" + "".join(_example(run, e) for e in examples))
    return "".join(parts)


def _example(run: RunFolder, found: dict[str, Any]) -> str:
    answer = "" if found["answer"] is None else f", answer {found['answer']!r}"
    cells = [
        _word(run, word, most, picture)
        for word, most, picture in zip(
            found["words"],
            found["most"],
            found["pictures"] or [None] * len(found["words"]),
            strict=True,
        )
    ]
    beams = table(
        ("likeliest questions", "nats"), [(b["text"], f"{b['nats']:.2f}") for b in found["beams"]]
    )
    asked = "; ".join(found["references"])
    return (
        f'<figure class="asked"><div class="words">{"".join(cells)}</div>'
        f"<figcaption>Picture {html.escape(found['item'] + answer)}. Somebody asked: "
        f"{html.escape(asked)}</figcaption>"
        f"<details><summary>beams</summary>{beams}</details></figure>"
    )


def _word(run: RunFolder, word: str, most: tuple[int, float], picture: str | None) -> str:
    region, weight = most
    told = f"region {region}, {weight:.0%}"
    said = html.escape(word)
    if picture is None:
        return f"<span>{said}<small>{told}</small></span>"
    content = base64.b64encode(run.exhibits.file(picture)).decode()
    return (
        f'<span title="most at {told}"><img alt="what {said!r} looked at" '
        f'src="data:image/png;base64,{content}">{said}</span>'
    )
