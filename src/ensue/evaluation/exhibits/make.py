"""Every exhibit that a model's contracts and data allow."""

from collections.abc import Callable, Sequence

from ensue.evaluation.exhibits.density import density
from ensue.evaluation.exhibits.listening import listening
from ensue.evaluation.exhibits.pictures import pictures
from ensue.evaluation.exhibits.representation import representation
from ensue.evaluation.exhibits.sounding import sounding
from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.evaluation.exhibits.writing import writing

EXHIBITS: Sequence[Callable[[Subject], list[Exhibit]]] = (
    representation,
    listening,
    density,
    writing,
    pictures,
    sounding,
)


def make_exhibits(subject: Subject) -> list[Exhibit]:
    """The exhibits of a model; one that has nothing to show is left out."""
    subject.model.eval()
    return [exhibit for make in EXHIBITS for exhibit in make(subject)]
