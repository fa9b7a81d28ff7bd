"""Closeness of texts to references (BLEU, ROUGE-L, CIDEr-D, METEOR), and their variety."""

from ensue.evaluation.texts.cider import cider_d
from ensue.evaluation.texts.meteor import meteor
from ensue.evaluation.texts.overlap import bleu, distinct, exact_match, rouge_l, words

__all__ = ["bleu", "cider_d", "distinct", "exact_match", "meteor", "rouge_l", "words"]
