"""The quality of a model's questions, compared with references and baselines, and what they use.

The references of a picture and an answer are all questions about that picture with that answer.
The baselines are the most frequent training question with the answer, and a question about the
training picture that is nearest by its regions, among those with the answer.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ensue.data.codecs import decoded
from ensue.data.kinds.question.codec import plain_answer
from ensue.data.kinds.question.questions import Sources
from ensue.data.store import Store
from ensue.evaluation.probes.intervals import bootstrap_mean
from ensue.evaluation.represent import score_items
from ensue.evaluation.sections import Section
from ensue.evaluation.texts import bleu, cider_d, distinct, exact_match, meteor, rouge_l, words
from ensue.models.traits import WritingModel

SOURCES_AT_A_TIME = 64
OPENING, LEAST_SHARE, FACTOR = 3, 0.01, 2.0
MEASURES = {
    "bleu4": "BLEU of up to four words, of 100",
    "rouge_l": "longest common subsequence of words, of 1",
    "cider_d": "common n-grams by how rare they are, of 10",
    "meteor": "words and stems in common, and their order, of 1",
    "exact": "part that is one of the references",
    "distinct1": "different words of all",
    "distinct2": "different pairs of words of all",
}


@dataclass(frozen=True)
class Asked:
    """Pictures with answers: the row of each among the questions, and its references."""

    rows: np.ndarray
    references: Sequence[Sequence[str]]


def asked_of(sources: Sources, most: int, seed: int) -> Asked:
    """Return the distinct pairs of picture and answer, at most ``most``, drawn at random."""
    found: dict[tuple[int, str], list[int]] = defaultdict(list)
    for i, raw in enumerate(sources.raw):
        found[int(sources.row[i]), plain_answer(raw)].append(i)
    groups = list(found.values())
    chosen = np.sort(np.random.default_rng(seed).permutation(len(groups))[:most])
    return Asked(
        np.array([groups[i][0] for i in chosen]),
        [[sources.raw[j].text for j in groups[i]] for i in chosen],
    )


def write(
    model: WritingModel,
    sources: Sources,
    rows: np.ndarray,
    *,
    temperature: float,
    seed: int = 0,
    answers: Sequence[str | None] | None = None,
) -> list[str]:
    """Write a question for each row; other answers, where given, replace those of the rows."""
    generator, texts = torch.Generator().manual_seed(seed), []
    device = next(model.parameters()).device
    if answers is not None:
        raw = list(sources.raw)
        for row, answer in zip(rows.tolist(), answers, strict=True):
            raw[row] = replace(raw[row], answer=answer)
        sources = replace(sources, raw=raw)
    for start in range(0, len(rows), SOURCES_AT_A_TIME):
        source = sources[rows[start : start + SOURCES_AT_A_TIME]].to(device)
        with torch.inference_mode():
            drawn = model.sample(1, condition=source, temperature=temperature, generator=generator)
        texts += decoded(sources.codec, drawn.values, drawn.lengths)
    return texts


def questions_section(
    model: WritingModel, sources: Sources, asked: Asked, training: Sources | None
) -> Section:
    """Compare greedily written questions with baselines from the training questions.

    Args:
        model: Writes them.
        sources: The held-out questions.
        asked: The pictures and answers to use.
        training: The training questions, or None where they aren't available.
    """
    columns = {"this run": write(model, sources, asked.rows, temperature=0.0)}
    if training is not None:
        columns["most frequent"] = most_frequent(sources, asked.rows, training)
        columns["nearest picture"] = nearest(sources, asked.rows, training)
    measures = [_measured(texts, asked.references) for texts in columns.values()]
    return Section(
        name="questions",
        title=f"Questions for {len(asked.rows):,} pictures with answers",
        columns=tuple(columns),
        rows=[(name, [f[name] for f in measures], meaning) for name, meaning in MEASURES.items()],
    )


def dependence_section(
    model: WritingModel, store: Store, sources: Sources, asked: Asked, *, seed: int
) -> Section:
    """Measure how questions change with other pictures and other answers, and compare openings.

    Args:
        model: Writes and scores them.
        store: The held-out questions.
        sources: What these are written from.
        asked: The pictures and answers to use.
        seed: Seed of the swaps and of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    scores, _ = score_items(model, store, condition=sources)
    other, _ = score_items(model, store, condition=sources.of_other_pictures(generator))
    lost = scores - other
    low, high = bootstrap_mean(lost[None], sources.row, np.random.default_rng(seed))
    alone = len(np.unique(sources.row)) == 1
    rows: list[tuple[str, Sequence[float | None], str]] = [
        (
            "pictures",
            [None if alone else float(lost.mean())],
            "there is no other picture to see it with"
            if alone
            else f"nats of a question lost with another picture (95 % of {low:.3f} to {high:.3f})",
        )
    ]
    if sources.codec.answers:
        rows.append(
            (
                "answers",
                [_changed(model, sources, asked.rows, seed)],
                "questions that change with another answer",
            )
        )
    drawn = write(model, sources, asked.rows, temperature=1.0, seed=seed)
    known = [reference for references in asked.references for reference in references]
    rows.append(
        (
            "openings",
            [coverage(map_openings(drawn), map_openings(known))],
            f"first {OPENING} words of questions ({LEAST_SHARE:.0%} or more) that are drawn as "
            f"often, within a factor of {FACTOR:g}",
        )
    )
    return Section(
        name="dependence", title="What questions depend on", columns=("this run",), rows=rows
    )


def most_frequent(sources: Sources, rows: np.ndarray, training: Sources) -> list[str]:
    """Return the most frequent training question with each row's answer, or with any answer."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for raw in training.raw:
        counts[plain_answer(raw)][raw.text] += 1
        counts[""][raw.text] += 1
    questions = []
    for row in rows.tolist():
        by_text = counts.get(plain_answer(sources.raw[row])) or counts[""]
        # By name where counts are equal, so that the order of files doesn't matter.
        questions.append(min(by_text, key=lambda text: (-by_text[text], text)))
    return questions


def nearest(sources: Sources, rows: np.ndarray, training: Sources) -> list[str]:
    """Return a question with each row's answer, about the nearest training picture."""
    pictures = _vectors(sources, sources.row[rows])
    training_pictures = _vectors(training, training.row)
    with_answer: dict[str, list[int]] = defaultdict(list)
    for i, raw in enumerate(training.raw):
        with_answer[plain_answer(raw)].append(i)
    questions = []
    for row, vector in zip(rows.tolist(), pictures, strict=True):
        among = np.array(
            with_answer.get(plain_answer(sources.raw[row])) or range(len(training.raw))
        )
        best = among[np.square(training_pictures[among] - vector).sum(1).argmin()]
        questions.append(training.raw[int(best)].text)
    return questions


def map_openings(texts: Sequence[str]) -> Mapping[str, float]:
    """Return the share of texts that begin with each opening (the first words).

    Example:
        >>> map_openings(["Is there a dog?", "Is there a cat?"])
        {'is there a': 1.0}
    """
    counts = Counter(" ".join(words(text)[:OPENING]) for text in texts)
    return {opening: n / len(texts) for opening, n in counts.items()}


def coverage(drawn: Mapping[str, float], known: Mapping[str, float]) -> float:
    """Return the share of common openings that are drawn as often as they occur, within a factor.

    Example:
        >>> coverage({"a": 0.4, "b": 0.6}, {"a": 0.7, "b": 0.25, "c": 0.05})
        0.3333333333333333
    """
    common = {form: share for form, share in known.items() if share >= LEAST_SHARE}
    held = [1 / FACTOR <= drawn.get(form, 0.0) / share <= FACTOR for form, share in common.items()]
    return float(np.mean(held)) if held else 0.0


def _measured(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    return {
        "bleu4": bleu(texts, references),
        "rouge_l": float(rouge_l(texts, references).mean()),
        "cider_d": float(cider_d(texts, references).mean()),
        "meteor": float(meteor(texts, references).mean()),
        "exact": float(exact_match(texts, references).mean()),
        "distinct1": distinct(texts, 1),
        "distinct2": distinct(texts, 2),
    }


def _changed(model: WritingModel, sources: Sources, rows: np.ndarray, seed: int) -> float:
    """Return the share of questions that change when given another answer of the run."""
    rng, answers = np.random.default_rng(seed), sources.codec.answers
    others = []
    for row in rows.tolist():
        true_answer = plain_answer(sources.raw[row])
        among = [answer for answer in answers if answer != true_answer] or [true_answer]
        others.append(among[int(rng.integers(len(among)))])
    before = write(model, sources, rows, temperature=0.0)
    after = write(model, sources, rows, temperature=0.0, answers=others)
    return float(np.mean([a != b for a, b in zip(before, after, strict=True)]))


def _vectors(sources: Sources, pictures: np.ndarray) -> np.ndarray:
    """Return an (N, D) summary of the picture of each question, each computed once."""
    every, place = np.unique(pictures, return_inverse=True)
    parts = np.array_split(every, -(-len(every) // SOURCES_AT_A_TIME))
    return np.concatenate([sources.regions.outline(part) for part in parts])[place]
