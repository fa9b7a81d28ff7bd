"""Loggers: the lines of ``metrics.jsonl`` once more, for TensorBoard, MLflow or Weights & Biases.

Each logger writes into the run folder and doesn't use the network. A resumed run writes its log
again from ``metrics.jsonl``, which is cut back to the checkpoint, so that no step is there twice.
"""

import importlib
import importlib.util
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightning.pytorch.loggers import Logger

from ensue.errors import MissingExtraError
from ensue.training.run_folder import RunFolder

Write = Callable[[Mapping[str, Any]], None]

NEEDED = {
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "wandb": ("wandb",),
}
AT_HOME = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
}
"""Environment variables that keep these packages quiet and off the network."""


def require_logger(name: str | None) -> None:
    """Refuse a logger whose package isn't installed, before anything is written.

    Raises:
        MissingExtraError: It isn't installed; the message has the command that installs it.
    """
    missing = [m for m in NEEDED.get(name or "", ()) if importlib.util.find_spec(m) is None]
    if missing:
        raise MissingExtraError(
            f'logger {name} needs {", ".join(missing)}: pip install "ensue[track]"'
        )


@contextmanager
def metrics_written(name: str | None, run: RunFolder, *, first_horizon: int) -> Iterator[Write]:
    """Give a function that writes a line of metrics, to ``metrics.jsonl`` and to the logger.

    Args:
        name: ``tensorboard``, ``mlflow``, ``wandb`` or None.
        run: The run folder; its files of this logger are written again from its metrics.
        first_horizon: Number of the first entry of a vector by horizon.
    """
    if name is None:
        yield run.append_metrics
        return
    for key, value in AT_HOME.items():
        os.environ.setdefault(key, value)  # restored with the rest after training
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about the packages' own dependencies
        logger = MAKERS[name](run)
        logger.log_hyperparams(_settings(run))

        def tell(line: Mapping[str, Any]) -> None:
            logger.log_metrics(scalars(line, first_horizon), step=line["step"])

        def write(line: Mapping[str, Any]) -> None:
            run.append_metrics(line)
            tell(line)

        for line in run.read_metrics():
            tell(line)
        status = "failed"
        try:
            yield write
            status = "success"
        finally:
            logger.save()
            logger.finalize(status)
            if name == "wandb":
                importlib.import_module("wandb").finish(exit_code=int(status != "success"))


def scalars(line: Mapping[str, Any], first_horizon: int = 1) -> dict[str, float]:
    """Return a line of metrics as numbers by name; vectors by horizon as ``name/k``.

    Example:
        >>> scalars({"step": 3, "loss": 0.5, "accuracy_by_horizon": [0.1, 0.2]})
        {'loss': 0.5, 'accuracy_by_horizon/1': 0.1, 'accuracy_by_horizon/2': 0.2}
    """
    found: dict[str, float] = {}
    for name, value in line.items():
        if isinstance(value, list):
            found |= {f"{name}/{k}": v for k, v in enumerate(value, first_horizon)}
        elif name != "step":
            found[name] = value
    return found


def _settings(run: RunFolder) -> dict[str, Any]:
    config = run.read_config()
    sections = ("model", "data", "training")
    flat = {f"{s}.{name}": str(value) for s in sections for name, value in config[s].items()}
    return {"family": config["family"], "source": config["source"], **flat}


def _tensorboard(run: RunFolder) -> Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    shutil.rmtree(run.path / "tensorboard", ignore_errors=True)
    return TensorBoardLogger(run.path, name="", version="tensorboard", default_hp_metric=False)


def _mlflow(run: RunFolder) -> Logger:
    from lightning.pytorch.loggers import MLFlowLogger

    folder = run.path.absolute()
    logger = MLFlowLogger(
        experiment_name="ensue",
        run_name=folder.name,
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        artifact_location=(folder / "mlflow").as_uri(),
    )
    # The file stays: MLflow keeps it open in this process.
    client, mine = logger._mlflow_client, logger.experiment_id
    for old in client.search_runs([mine]) if mine is not None else ():
        if old.info.run_id != logger.run_id:
            client.delete_run(old.info.run_id)
    return logger


def _wandb(run: RunFolder) -> Logger:
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    shutil.rmtree(run.path / "wandb", ignore_errors=True)
    return WandbLogger(
        name=run.path.absolute().name,
        save_dir=run.path,
        project="ensue",
        offline=True,
        settings=wandb.Settings(
            console="off", disable_git=True, save_code=False, silent=True, x_disable_stats=True
        ),
    )


MAKERS: dict[str, Callable[[RunFolder], Logger]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "wandb": _wandb,
}
