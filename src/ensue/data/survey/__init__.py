"""Survey: what is in the data, and what to fix before an hour of training."""

from ensue.data.survey.labels import LabelFacts
from ensue.data.survey.survey import Survey, survey

__all__ = ["LabelFacts", "Survey", "survey"]
