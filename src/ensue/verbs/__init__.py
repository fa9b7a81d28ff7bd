"""Verbs: the commands of Ensue, each a function in a file of its name.

A command of the command line is the same function. The table names functions without importing
them, so that ``ensue --help`` answers at once.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """A command.

    Attributes:
        function: The function that does it, as ``module:name``.
        summary: The first line of the function's docstring.
        takes_settings: Whether it takes any setting of a family, the data or the training.
    """

    function: str
    summary: str
    takes_settings: bool = False


VERBS = {
    "demo": Verb(
        "ensue.verbs.demo:demo",
        "Run the main job on built-in speech: train CPC, embed, probe, report.",
        takes_settings=True,
    ),
    "check": Verb(
        "ensue.verbs.check:check",
        "Look at data before training: counts, hours, rates, labels, splits, unusable items.",
        takes_settings=True,
    ),
    "train": Verb(
        "ensue.verbs.train:train", "Train a model on unlabeled data.", takes_settings=True
    ),
    "embed": Verb(
        "ensue.verbs.embed:embed",
        "Write one vector per item, or per frame, with item ids and labels.",
    ),
    "score": Verb(
        "ensue.verbs.score:score",
        "Write a score per item in nats, and say what kind of number it is.",
    ),
    "sample": Verb("ensue.verbs.sample:sample", "Draw new items from a trained model."),
    "ask": Verb("ensue.verbs.ask:ask", "Write questions about pictures, whose answers are given."),
    "complete": Verb(
        "ensue.verbs.complete:complete", "Write how items that have only begun go on."
    ),
    "compress": Verb(
        "ensue.coding.compress:compress",
        "Write items as few bytes as a model finds them likely; ``decompress`` gives them back.",
    ),
    "decompress": Verb("ensue.coding.decompress:decompress", "Give back what ``compress`` wrote."),
    "probe": Verb(
        "ensue.verbs.probe:probe",
        "Read a label off frozen features by logistic regression, next to chance and baselines.",
    ),
    "evaluate": Verb(
        "ensue.verbs.evaluate:evaluate",
        "Evaluate a trained model: likelihood, what its z holds, what it draws or asks.",
    ),
    "report": Verb(
        "ensue.verbs.report:make_report",
        "Write a run's report.html: one page that needs no network.",
    ),
    "list": Verb(
        "ensue.verbs.list:list_names",
        "List what there is: families of models, recipes, or built-in data.",
    ),
}
"""The commands by name, in the order of the help."""
