"""The lines that load and use a run."""

from ensue.models.registry import family_row
from ensue.report.charts import code
from ensue.training.run_folder import RunFolder

NOUNS = {
    "audio": "sounds",
    "image": "images",
    "question": "questions",
    "smiles": "molecules",
    "table": "rows",
    "text": "texts",
}
CALLS = {"question": 'sample(5, condition={"path": "a.png", "answer": "yes"})'}
"""Calls of kinds that are sampled from something."""


def draw(run: RunFolder) -> str:
    """Three lines of Python."""
    known, row = run.read_data(), family_row(run.read_config()["family"])
    line = 'vectors = run.embed(["a.wav", "b.wav"])'
    if "samples" in row.contracts:
        line = sampling(known["kind"] if known else row.kinds[0])
    return code(f'import ensue\nrun = ensue.load("{run.path}")\n{line}')


def sampling(kind: str) -> str:
    """The line that samples items of a kind of data."""
    return f"{NOUNS[kind]} = run.{CALLS.get(kind, 'sample(10)')}"
