"""The run folder: the files of a training run, and the way each of them is written.

``config.yaml environment.json data.json metrics.jsonl train.log checkpoints/ model/ samples/
exhibits/ skipped.csv probes.json report.html``. Every file is written to a temporary name and
renamed, so that none is ever half written; ``metrics.jsonl`` and ``train.log`` grow line by line.
"""

import csv
import json
import os
import platform
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError

from ensue.configuration import FORMAT, check_format
from ensue.data.codecs import Codec, load_codec, save_codec
from ensue.data.lines import lines
from ensue.errors import CheckpointError, ConfigError
from ensue.files import read_bytes, read_json, read_text, write_text, written_whole
from ensue.models.loading import load_model
from ensue.models.traits import Model
from ensue.training.checkpoint import STATE, load_unfinished
from ensue.training.exhibits import Exhibits

PACKAGES = ("ensue", "torch", "lightning", "numpy", "scikit-learn", "soundfile", "soxr")


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def log(self) -> Path:
        return self.path / "train.log"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def checkpoint(self) -> Path:
        return self.checkpoints / STATE

    @property
    def best(self) -> Path:
        return self.checkpoints / "best.safetensors"

    @property
    def best_on_schedule(self) -> Path:
        """The best weights on schedule: not those of an end between two regular validations."""
        return self.checkpoints / "best-on-schedule.safetensors"

    @property
    def kept(self) -> Path:
        return self.checkpoints / "kept.json"

    @property
    def has_weights(self) -> bool:
        """Return whether training got far enough to leave weights."""
        return self.checkpoint.exists() or self.model.is_dir()

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def codec(self) -> Path:
        return self.model / "codec.json"

    @property
    def skipped(self) -> Path:
        return self.path / "skipped.csv"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def probes(self) -> Path:
        return self.path / "probes.json"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    def read_evaluation(self) -> dict[str, Any] | None:
        """Read the results of the last ``evaluate``, or return None."""
        if not self.evaluation.exists():
            return None
        evaluation = read_json(self.evaluation, error=CheckpointError)
        check_format(evaluation, str(self.evaluation))
        return evaluation

    @property
    def exhibits(self) -> Exhibits:
        return Exhibits(self.path / "exhibits")

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    def require_empty(self) -> None:
        """Refuse a folder that already has files.

        Raises:
            ConfigError: The folder isn't empty.
        """
        if self.path.exists() and (not self.path.is_dir() or _holds_files(self.path)):
            raise ConfigError(
                f"{str(self.path)!r} isn't an empty folder; continue the run in it with --resume, "
                "or start a new run elsewhere from its weights with --init-from"
            )

    def create(self) -> None:
        """Make the folder.

        Raises:
            ConfigError: It can't be made there.
        """
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"can't make the run folder {str(self.path)!r}: {error}") from error

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write ``config.yaml``: family, data and the three sections."""
        write_text(
            self.config,
            yaml.safe_dump({"format": FORMAT, **config}, sort_keys=False),
            error=CheckpointError,
        )

    def read_config(self) -> dict[str, Any]:
        """Read ``config.yaml``.

        Raises:
            CheckpointError: This isn't a run folder, or it is of a newer format.
        """
        try:
            config = yaml.safe_load(read_text(self.config, error=CheckpointError))
        except (ValueError, yaml.YAMLError) as error:
            raise CheckpointError(
                f"{str(self.path)!r} isn't a run folder (config.yaml: {error}); "
                "runs are made by 'ensue train'"
            ) from error
        config = config if isinstance(config, dict) else {}
        check_format(config, str(self.config))
        missing = {"family", "source", "model", "data", "training"} - config.keys()
        if missing:
            raise CheckpointError(f"{str(self.config)!r} lacks {', '.join(sorted(missing))}")
        return config

    def require_fingerprint(self, fingerprint: str) -> None:
        """Refuse to continue with other data than the run was begun with.

        Raises:
            ConfigError: The data aren't the same.
        """
        if self.read_config().get("fingerprint") != fingerprint:
            raise ConfigError(
                "the data have changed since the run began (files, times of change or rows); "
                "restore them, or start a new run, from these weights with --init-from"
            )

    def require_regions(self, regions_hash: str | None) -> None:
        """Refuse to continue with regions by other weights than the run was begun with.

        Raises:
            ConfigError: The weights of the run that makes the regions have changed.
        """
        if self.read_config().get("regions_hash") != regions_hash:
            raise ConfigError(
                "the run that makes the regions has changed since this run began; restore it, or "
                "start a new run"
            )

    def write_environment(self) -> None:
        """Write ``environment.json``: versions, machine, command."""
        facts = {
            "format": FORMAT,
            "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES},
            "platform": platform.platform(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        }
        write_text(self.environment, json.dumps(facts, indent=2) + "\n", error=CheckpointError)

    def write_data(self, facts: Mapping[str, Any]) -> None:
        """Write ``data.json``: the amount of data that the run was trained on."""
        write_text(
            self.data,
            json.dumps({"format": FORMAT, **facts}, indent=2) + "\n",
            error=CheckpointError,
        )

    def read_data(self) -> dict[str, Any] | None:
        """Read ``data.json``, or return None if it is missing."""
        if not self.data.exists():
            return None
        facts = read_json(self.data, error=CheckpointError)
        check_format(facts, str(self.data))
        return facts

    def read_model_settings(self) -> dict[str, Any]:
        """Read the settings of the model, with the sizes that were chosen for the run's data.

        They are empty if no step was saved yet.

        Raises:
            CheckpointError: They are damaged.
        """
        places = (self.model / "config.json", self.checkpoints / "config.json")
        path = next((path for path in places if path.exists()), None)
        if path is None:
            return {}
        values = read_json(path, error=CheckpointError)
        if not isinstance(values, dict):
            raise CheckpointError(f"{str(path)!r} is damaged: it holds no settings")
        return values

    def write_skipped(self, skipped: Sequence[tuple[str, str]]) -> None:
        """Write ``skipped.csv``: the items that couldn't be used, with the reasons."""
        with (
            written_whole(self.skipped, error=CheckpointError) as draft,
            open(draft, "w", encoding="utf-8", newline="") as file,
        ):
            csv.writer(file).writerows([("item", "reason"), *skipped])

    def append_metrics(self, line: Mapping[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``."""
        with open(self.metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def note(self, line: str) -> None:
        """Add a line to ``train.log``."""
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """Read the lines of ``metrics.jsonl``.

        Raises:
            CheckpointError: It is damaged.
        """
        if not self.metrics.exists():
            return []
        text = read_text(self.metrics, most=None, error=CheckpointError)
        try:
            return [json.loads(line) for line in lines(text) if line]
        except ValueError as error:
            raise CheckpointError(f"{str(self.metrics)!r} is damaged: {error}") from error

    def cut_metrics(self, stays: Callable[[Mapping[str, Any]], bool]) -> None:
        """Remove the lines that ``stays`` rejects, and a last line that was cut short."""
        kept = []
        if not self.metrics.exists():
            return
        text = read_bytes(self.metrics, most=None, error=CheckpointError).decode(errors="replace")
        for line in lines(text):
            try:
                if stays(json.loads(line)):
                    kept.append(line + "\n")
            except (ValueError, KeyError, TypeError):
                continue
        if "".join(kept) != text:
            write_text(self.metrics, "".join(kept), error=CheckpointError)

    def read_probes(self) -> list[dict[str, Any]]:
        """Read the probes of this run, as plain values.

        Raises:
            CheckpointError: The file is damaged or of a newer format.
        """
        if not self.probes.exists():
            return []
        probes = read_json(self.probes, error=CheckpointError, remedy="delete it")
        check_format(probes, str(self.probes))
        return probes["probes"]

    def write_probe(self, probe: Mapping[str, Any]) -> None:
        """Add a probe to ``probes.json``, replacing an earlier one of the same question."""
        others = [p for p in self.read_probes() if _question(p) != _question(probe)]
        probes = {"format": FORMAT, "probes": [*others, dict(probe)]}
        write_text(self.probes, json.dumps(probes, indent=2) + "\n", error=CheckpointError)

    def save_model(self, model: Model, codec: Codec, card: str) -> None:
        """Write ``model/`` with its card, whole or not at all."""
        with written_whole(
            self.model, error=CheckpointError, also=(SafetensorError,), replaces_folder=True
        ) as draft:
            model.save_pretrained(draft)
            save_codec(codec, draft / "codec.json")
            (draft / "README.md").write_text(card, encoding="utf-8")

    def load(self) -> tuple[Model, Codec]:
        """Load the trained model, in eval mode on the CPU, and its codec.

        If the run isn't finished, load the model of the last checkpoint, with a warning.

        Raises:
            CheckpointError: The run has no checkpoint yet, or its files are damaged.
        """
        config = self.read_config()
        if self.model.is_dir():
            return load_model(self.model), load_codec(self.codec)
        model, codec, step = load_unfinished(self.checkpoints)
        warnings.warn(
            f"the run {str(self.path)!r} isn't finished: these are its weights after step {step:,} "
            f"of {config['training']['max_steps']:,}, from its last checkpoint"
        )
        return model, codec


def _question(probe: Mapping[str, Any]) -> tuple[str, ...]:
    # The first version had one kind of probe.
    asked = (*(probe[n] for n in ("source", "label", "level")), probe.get("kind", "accuracy"))
    return (*asked, probe.get("pooled", ""))


def _holds_files(folder: Path) -> bool:
    """Return whether there is a file: a start that could write nothing leaves empty folders."""
    return any(not path.is_dir() for path in folder.rglob("*"))
