"""Exhibits: what a model shows of itself on some items, beside figures, for the report."""

from ensue.evaluation.exhibits.make import make_exhibits
from ensue.evaluation.exhibits.subject import Subject

__all__ = ["Subject", "make_exhibits"]
