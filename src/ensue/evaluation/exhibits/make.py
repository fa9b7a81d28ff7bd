"""Every exhibit that a model's contracts and data allow."""

import warnings
from collections.abc import Callable, Sequence

from ensue.evaluation.exhibits.asking import asking
from ensue.evaluation.exhibits.density import density
from ensue.evaluation.exhibits.inside import inside
from ensue.evaluation.exhibits.latents import latents
from ensue.evaluation.exhibits.listening import listening
from ensue.evaluation.exhibits.molecules import molecules
from ensue.evaluation.exhibits.pictures import pictures
from ensue.evaluation.exhibits.representation import representation
from ensue.evaluation.exhibits.sounding import sounding
from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.evaluation.exhibits.writing import writing

EXHIBITS: Sequence[Callable[[Subject], list[Exhibit]]] = (
    representation,
    listening,
    density,
    molecules,
    writing,
    asking,
    latents,
    pictures,
    sounding,
    inside,
)


def make_exhibits(subject: Subject) -> list[Exhibit]:
    """The exhibits of a model; one that has nothing to show, or can't, is left out."""
    subject.model.eval()
    found = []
    for make in EXHIBITS:
        try:
            found += make(subject)
        except Exception as error:
            # What was trained is worth more than a picture of it.
            warnings.warn(f"the report goes without {make.__name__}: {error}")
    return found
