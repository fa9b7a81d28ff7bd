"""Probes: the accuracy of reading a label off features, compared with chance and baselines.

``task`` gives the labels and their moments, ``features`` and ``classifiers`` read them, and
``intervals`` gives the uncertainty. Each other module is one kind of question.
"""
