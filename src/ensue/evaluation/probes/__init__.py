"""Probes: how well a label is read off features, beside chance and baselines.

``task`` says what is asked at which moments, ``features`` and ``classifiers`` answer, ``intervals``
say how surely. Each other module is one kind of question.
"""
