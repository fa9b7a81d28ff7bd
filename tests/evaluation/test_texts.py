"""Measures of texts against references: each beside an independent implementation."""

import random

import numpy as np
import pytest

from ensue.evaluation.texts import bleu, cider_d, distinct, exact_match, meteor, rouge_l
from ensue.evaluation.texts.meteor import align

WORDS = "is are there it a the red blue shape shapes running run runs circle in image"
VOCABULARY = WORDS.split()


def sentences(seed: int, num: int, *, different: bool = False) -> list[str]:
    draw = random.Random(seed)
    choose = draw.sample if different else lambda of, k: draw.choices(of, k=k)
    return [" ".join(choose(VOCABULARY, k=draw.randint(1, 9))) for _ in range(num)]


def references(seed: int, num: int) -> list[list[str]]:
    draw = random.Random(seed)
    return [sentences(draw.randint(0, 10**6), draw.randint(1, 3)) for _ in range(num)]


@pytest.mark.parametrize("seed", range(3))
def test_rouge_l_and_cider_d_are_those_of_the_coco_evaluation(seed):
    cider = pytest.importorskip("pycocoevalcap.cider.cider").Cider()
    rouge = pytest.importorskip("pycocoevalcap.rouge.rouge").Rouge()
    texts, refs = sentences(seed, 30), references(seed + 9, 30)
    texts[0] = refs[0][0]
    theirs = {i: refs[i] for i in range(30)}, {i: [texts[i]] for i in range(30)}
    np.testing.assert_allclose(cider_d(texts, refs), cider.compute_score(*theirs)[1], atol=1e-6)
    np.testing.assert_allclose(rouge_l(texts, refs), rouge.compute_score(*theirs)[1], atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_meteor_is_that_of_nltk_where_no_word_comes_twice(seed):
    nltk = pytest.importorskip("nltk.translate.meteor_score")
    porter = pytest.importorskip("nltk.stem.porter").PorterStemmer(mode="ORIGINAL_ALGORITHM")

    class NoSynonyms:
        def synsets(self, word):
            return []

    # Stems that two words of one text share could be matched either way: only whole words here.
    texts = [
        " ".join(w for w in t.split() if "run" not in w and "shape" not in w) or "it"
        for t in sentences(seed, 40, different=True)
    ]
    refs = sentences(seed + 9, 40, different=True)
    for text, reference in zip(texts, refs, strict=True):
        theirs = nltk.single_meteor_score(
            reference.split(), text.split(), stemmer=porter, wordnet=NoSynonyms()
        )
        assert meteor([text], [[reference]])[0] == pytest.approx(theirs, abs=1e-6)


def test_words_of_one_stem_match_after_equal_ones():
    assert align(["run", "runs"], ["runs", "run"]) == (2, 2)
    assert align(["running", "dogs"], ["runs", "dog"]) == (2, 1)
    assert align(["cat"], ["dog"]) == (0, 0)


def test_the_alignment_has_the_fewest_chunks():
    # By hand: the second "the" of the text is the one that goes on with "cat".
    assert align(["the", "big", "the", "cat"], ["big", "the", "cat"]) == (3, 1)
    assert align(["a", "b", "a", "b", "a", "b"], ["a", "b", "a", "b"]) == (4, 1)


def test_bleu_is_that_of_its_definition():
    texts, refs = ["is there a red shape in it"], [["is there a blue shape in it"]]
    # Words 6/7, pairs 4/6, threes 2/5, fours 0: with two orders, no length penalty.
    expected = 100 * (6 / 7 * 4 / 6) ** 0.5
    assert bleu(texts, refs, order=2) == pytest.approx(expected)
    assert bleu(["is it red?"], [["is it blue?", "Is it red?"]], order=2) == pytest.approx(100)


def test_distinct_counts_what_differs():
    assert distinct(["a b", "a c"], 1) == 0.75
    assert distinct(["a b", "a c"], 2) == 1
    assert distinct(["a"], 2) == 0


def test_an_empty_text_is_worth_nothing():
    refs = [["is it red?"], ["what is it?"]]
    for measure in (rouge_l, cider_d, meteor, exact_match):
        assert not measure(["", "?"], refs).any()
