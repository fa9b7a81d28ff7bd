"""Verbs: what a user does, as functions; the commands of the command line are the same ones.

Modules here import what is heavy inside the functions, so that ``ensue --help`` answers at once.
"""

VERBS = {
    "demo": "ensue.verbs.demo:demo",
    "check": "ensue.verbs.check:check",
    "train": "ensue.verbs.train:train",
    "embed": "ensue.verbs.embed:embed",
    "score": "ensue.verbs.apply:score",
    "sample": "ensue.verbs.generate:sample",
    "complete": "ensue.verbs.generate:complete",
    "compress": "ensue.coding.verbs:compress",
    "decompress": "ensue.coding.verbs:decompress",
    "probe": "ensue.verbs.probe:probe",
    "evaluate": "ensue.verbs.evaluate:evaluate",
    "report": "ensue.verbs.report:make_report",
    "list": "ensue.verbs.list:list_names",
}
"""The commands, each with the function that does it."""
