"""The lines that load and use a run."""

from ensue.data.kinds import KINDS
from ensue.models.registry import family_row
from ensue.report.charts import code
from ensue.training.run_folder import RunFolder

SAMPLE = "sample(10)"
SAMPLE_FROM = 'sample(5, condition={"path": "a.png", "answer": "yes"})'


def draw(run: RunFolder) -> str:
    """Three lines of Python."""
    known, row = run.read_data(), family_row(run.read_config()["family"])
    line = 'vectors = run.embed(["a.wav", "b.wav"])'
    if "samples" in row.contracts:
        kind = KINDS[known["kind"] if known else row.kinds[0]]
        line = f"{kind.variable} = run.{SAMPLE_FROM if kind.has_sources else SAMPLE}"
    return code(f'import ensue\nrun = ensue.load("{run.path}")\n{line}')
