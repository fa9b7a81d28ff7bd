"""The settings of a run."""

import yaml

from ensue.report.charts import code
from ensue.training.run_folder import RunFolder


def draw(run: RunFolder) -> str:
    """The settings, as a recipe could hold them."""
    text = yaml.safe_dump(run.read_config(), sort_keys=False)
    return f"<details><summary>config.yaml</summary>{code(text)}</details>"
