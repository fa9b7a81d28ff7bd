"""Verbs: the commands of Ensue, each a function in a file of the same name.

The command line runs these functions. The table names them without importing them, so that
``ensue --help`` answers at once.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """A command.

    Attributes:
        function: The command's function, as ``module:name``.
        summary: The first line of the function's docstring.
        takes_settings: Whether it takes settings of a family, the data or the training.
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
    "stream": Verb(
        "ensue.verbs.stream:stream",
        "Measure each step of a live series as it comes, from standard input.",
    ),
    "sample": Verb("ensue.verbs.sample:sample", "Draw new items from a trained model."),
    "ask": Verb("ensue.verbs.ask:ask", "Write questions about pictures, given the answers."),
    "complete": Verb("ensue.verbs.complete:complete", "Complete items from their beginnings."),
    "forecast": Verb(
        "ensue.verbs.forecast:forecast",
        "Forecast how series go on, with the quantiles of draws.",
    ),
    "compress": Verb(
        "ensue.coding.compress:compress",
        "Compress items with a model, without loss; ``decompress`` restores them.",
    ),
    "decompress": Verb(
        "ensue.coding.decompress:decompress", "Restore the items that ``compress`` wrote."
    ),
    "probe": Verb(
        "ensue.verbs.probe:probe",
        "Read a label off frozen features by logistic regression, next to chance and baselines.",
    ),
    "information": Verb(
        "ensue.verbs.information:information",
        "Estimate mutual information: a lower bound with an interval, and whether to trust it.",
    ),
    "evaluate": Verb(
        "ensue.verbs.evaluate:evaluate",
        "Evaluate a trained model: likelihood, latent z, drawn molecules, questions.",
    ),
    "report": Verb(
        "ensue.verbs.report:make_report",
        "Write a run's report.html: one page that needs no network.",
    ),
    "list": Verb(
        "ensue.verbs.list:list_names",
        "List the families of models, the recipes, or the built-in data.",
    ),
}
"""The commands by name, in the order of the help."""
