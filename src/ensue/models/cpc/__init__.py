"""Contrastive Predictive Coding, as a package: the model and its settings."""

from ensue.models.cpc.config import CPCConfig
from ensue.models.cpc.model import CPC

__all__ = ["CPC", "CPCConfig"]
