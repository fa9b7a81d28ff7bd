"""The lines that load and use a run."""

from ensue.data.kinds import KINDS
from ensue.models.registry import family_row
from ensue.report.charts import code
from ensue.training.run_folder import RunFolder

SAMPLE = "sample(10)"
SAMPLE_FROM = 'sample(5, condition={"path": "a.png", "answer": "yes"})'
ENDINGS = (".wav", ".png", ".txt")
"""Of files that stand for a kind's in a line of Python."""


def draw(run: RunFolder) -> str:
    """Three lines of Python."""
    known, row = run.read_data(), family_row(run.read_config()["family"])
    kind = KINDS[known["kind"] if known else row.kinds[0]]
    ending = next((e for e in ENDINGS if e in kind.endings), ENDINGS[0])
    line = f'vectors = run.embed(["a{ending}", "b{ending}"])'
    if "samples" in row.contracts:
        line = f"{kind.variable} = run.{SAMPLE_FROM if kind.has_sources else SAMPLE}"
    return code(f'import ensue\nrun = ensue.load("{run.path}")\n{line}')
