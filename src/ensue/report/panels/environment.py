"""The versions and the machine of a run."""

from ensue.errors import CheckpointError
from ensue.files import read_json
from ensue.report.charts import table
from ensue.training.run_folder import RunFolder


def draw(run: RunFolder) -> str:
    """Versions, machine and command."""
    if not run.environment.exists():
        return ""
    facts = read_json(run.environment, error=CheckpointError)
    rows = [(name, _words(value)) for name, value in facts.items() if name != "format"]
    return table((), rows)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{n} {v}" for n, v in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
