"""The answer that fits a question best: the one that makes the question the likeliest.

Dims: N questions, A answers that the run knows.
"""

from dataclasses import replace

import numpy as np

from ensue.data.kinds.question.questions import ReadsQuestions, Sources
from ensue.data.store import Store
from ensue.errors import ConfigError
from ensue.evaluation.represent import score_items
from ensue.models.traits import ScoringModel


def nats_by_answer(model: ScoringModel, store: Store, sources: Sources) -> np.ndarray:
    """Return (N, A) nats of each question of a store, given each of the answers in turn.

    Raises:
        ConfigError: The run has no list of answers.
    """
    answers = require_answers(sources.codec)
    columns = []
    for answer in answers:
        raw = [replace(question, answer=answer) for question in sources.raw]
        columns.append(score_items(model, store, condition=replace(sources, raw=raw))[0])
    return np.stack(columns, axis=1)


def require_answers(codec: ReadsQuestions) -> tuple[str, ...]:
    """Return the answers of a run.

    Raises:
        ConfigError: It has none, or any words may be one.
    """
    if not codec.answers:
        raise ConfigError(
            "this run has no list of answers; train on a manifest with the column answer, and with "
            "answers token"
        )
    return codec.answers


def place_of_own(nats: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the (N,) rank of each question's own answer by nats (N, A); 1 is the likeliest.

    Equal answers share the mean of their ranks.

    Example:
        >>> place_of_own(np.array([[-1.0, -2.0]]), np.array([1]))
        array([2.])
    """
    mine = nats[np.arange(len(own)), own][:, None]
    before, alike = (nats > mine).sum(1), (nats == mine).sum(1)
    return before + (1 + alike) / 2
