"""The survey of questions: how long they are, how many pictures and answers, what can't be read."""

from collections import Counter
from collections.abc import Callable

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.items import Items, Picture
from ensue.data.kinds.question.codec import require_picture, words_of
from ensue.data.kinds.question.regions import Features, file_of_regions, read_regions
from ensue.data.surveyed import Surveyed
from ensue.errors import DataError


def survey_question(items: Items, config: DataConfig, on_item: Callable[[], None]) -> Surveyed:
    """Every question, and every picture once.

    Raises:
        DataError: The file of regions can't be read.
    """
    facts, num_rows = _of_file(config)
    unreadable, lengths, answers, texts, sources = [], [], Counter(), Counter(), set()
    for name, raw in zip(items.ids, items.raw, strict=True):
        try:
            if not raw.text.strip():
                raise DataError("the question is empty")
            if isinstance(raw.source, Picture):
                require_picture(raw.source)
            if isinstance(raw.source, int) and num_rows is not None and raw.source >= num_rows:
                raise DataError(f"it is of row {raw.source}, and there are {num_rows} rows")
        except DataError as error:
            unreadable.append((name, str(error)))
            continue
        finally:
            on_item()
        lengths.append(len(words_of(raw.text)))
        texts[raw.text] += 1
        answers[raw.answer or ""] += 1
        sources.add(raw.source.path if isinstance(raw.source, Picture) else raw.source)
    if lengths:
        middle = int(np.median(lengths))
        facts += [
            ("sources", f"{len(sources):,}"),
            (
                "words of a question",
                f"{min(lengths)} to {max(lengths)}, half of them up to {middle}",
            ),
            ("different questions", f"{len(texts):,}"),
            ("different answers", f"{len([a for a in answers if a]):,}"),
        ]
    return Surveyed(
        facts=facts, unreadable=unreadable, findings=[*_answers(answers), *_rare(answers, config)]
    )


def _of_file(config: DataConfig) -> tuple[list[tuple[str, str]], int | None]:
    """Look at the file of regions, where one is named."""
    file = file_of_regions(config)
    if file is None:
        return [], None
    found = read_regions(file)
    if isinstance(found, Features):
        shape = " x ".join(map(str, found.values.shape[1:]))
        return [("regions x features", shape)], len(found)
    images, _ = found
    return [("pixels, height x width", f"{images.shape[1]} x {images.shape[2]}")], len(images)


def _answers(answers: Counter[str]) -> list[str]:
    without, total = answers[""], sum(answers.values())
    if not 0 < without < total:
        return []
    return [f"{without} of {total} questions have no answer; give all of them one, or none"]


def _rare(answers: Counter[str], config: DataConfig) -> list[str]:
    once = sum(num == 1 for answer, num in answers.items() if answer)
    if config.answers == "phrase" or once < len(answers) / 2:
        return []
    return [
        f"{once} of {len(answers)} answers come once: as single tokens they can't be learned, "
        "and new ones can't be understood; set answers to phrase"
    ]
