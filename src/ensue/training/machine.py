"""The machine: check that it can do a run, and restore its state after one."""

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from ensue.errors import ConfigError
from ensue.training.config import TrainingConfig


def require_machine(config: TrainingConfig) -> None:
    """Refuse settings that this machine can't honor, before anything is written.

    Raises:
        ConfigError: There is no such accelerator, too few devices, no bf16, or a batch that the
            processes can't share.
    """
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    if config.accelerator == "gpu" and not has_gpu:
        raise ConfigError("accelerator is gpu but this machine has none; use cpu or auto")
    on_gpu = config.accelerator != "cpu" and torch.cuda.is_available()
    if on_gpu and config.devices > torch.cuda.device_count():
        raise ConfigError(f"devices is {config.devices}; there are {torch.cuda.device_count()}")
    if config.precision == "bf16" and not has_bf16(on_gpu=on_gpu):
        raise ConfigError("this machine has no hardware for bf16; use precision float32")
    world_size = int(os.environ.get("WORLD_SIZE", config.devices))
    if config.batch_size % world_size:
        raise ConfigError(
            f"batch_size {config.batch_size} can't be shared equally by {world_size} processes"
        )


def has_bf16(*, on_gpu: bool) -> bool:
    """Return whether the device that would train has hardware for bfloat16."""
    if on_gpu:
        return torch.cuda.is_bf16_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def best_device() -> torch.device:
    """Return the device on which a trained model runs fastest: the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def processes(config: TrainingConfig) -> dict[str, Any]:
    """Return the numbers of processes and machines: torchrun's, or those of the settings.

    A SLURM job starts its processes by ``srun torchrun``; a shell within a job doesn't imply
    several processes.
    """
    if "LOCAL_WORLD_SIZE" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        num_nodes = int(os.environ["WORLD_SIZE"]) // devices
        plugins = None
    else:
        devices, num_nodes, plugins = config.devices, 1, [LightningEnvironment()]
    strategy = "ddp" if devices * num_nodes > 1 else "auto"
    return {"devices": devices, "num_nodes": num_nodes, "strategy": strategy, "plugins": plugins}


@contextmanager
def left_as_found(num_threads: int | None) -> Iterator[None]:
    """Restore after training what it changes for the whole process: threads, signals, logs."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    loggers = [logging.getLogger(n) for n in ("lightning.pytorch", "lightning.fabric")]
    levels = [log.level for log in loggers]
    handler = signal.getsignal(signal.SIGINT)
    environment = dict(os.environ)
    grouped = torch.distributed.is_available() and torch.distributed.is_initialized()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # makes cuBLAS repeatable
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    try:
        for log in loggers:
            log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # Lightning's advice concerns choices that are made here.
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        if torch.distributed.is_available() and torch.distributed.is_initialized() and not grouped:
            torch.distributed.destroy_process_group()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)  # Lightning ignores Ctrl-C from the first on
