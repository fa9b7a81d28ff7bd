"""Weights of well-known networks under our names: what ``from_...`` constructors read.

Each function gives the settings of the model that fits the weights, and the weights renamed.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ensue.errors import ConfigError

Renamed = tuple[dict[str, Any], dict[str, Tensor]]


def rename_cdck2(state_dict: Mapping[str, Tensor]) -> Renamed:
    """The CPC network of 2018; its predictors become the rows of one matrix.

    Raises:
        ConfigError: Keys are missing or unknown.
    """
    renamed: dict[str, Tensor] = {}
    strangers = []
    for key, value in state_dict.items():
        if m := re.fullmatch(r"encoder\.(0|3|6|9|12)\.weight", key):
            renamed[f"encoder.layers.{int(m[1]) // 3}.conv.weight"] = value
        elif m := re.fullmatch(r"encoder\.(1|4|7|10|13)\.(\w+)", key):
            renamed[f"encoder.layers.{int(m[1]) // 3}.norm.{m[2]}"] = value
        elif m := re.fullmatch(r"gru\.(\w+_l0)", key):
            renamed[f"context.{m[1]}"] = value
        elif not re.fullmatch(r"Wk\.\d+\.(weight|bias)", key):
            strangers.append(key)
    horizon = sum(re.fullmatch(r"Wk\.\d+\.weight", key) is not None for key in state_dict)
    needed = {"encoder.layers.0.conv.weight", "context.weight_hh_l0"}
    if strangers or not horizon or not needed <= renamed.keys():
        wrong = ", ".join(strangers) or "keys are missing"
        raise ConfigError(f"these aren't the weights of a CDCK2: {wrong}")
    for part in ("weight", "bias"):
        rows = [state_dict[f"Wk.{k}.{part}"] for k in range(horizon)]
        renamed[f"predictor.{part}"] = torch.cat(rows)
    settings = {
        "channels": renamed["encoder.layers.0.conv.weight"].shape[0],
        "context_size": renamed["context.weight_hh_l0"].shape[1],
        "horizon": horizon,
    }
    return settings, renamed


def rename_nvpnet(state_dict: Mapping[str, Tensor]) -> Renamed:
    """The Real NVP of two tanh networks a coupling, with masks of its own.

    Raises:
        ConfigError: Keys are missing or unknown.
    """
    names = {"b": "mask", "map_s": "scale", "map_t": "shift"}
    renamed: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        m = re.fullmatch(r"layers\.(\d+)\.(b|map_s|map_t)((\.[02]\.(weight|bias))?)", key)
        if m is None:
            raise ConfigError(f"these aren't the weights of an NVPNet: {key}")
        value = value.bool() if m[2] == "b" else value
        renamed[f"flow.layers.{m[1]}.{names[m[2]]}{m[3]}"] = value
    first = renamed.get("flow.layers.0.scale.0.weight")
    if first is None:
        raise ConfigError("these aren't the weights of an NVPNet: layers.0.map_s is missing")
    hidden_size, num_features = first.shape
    depth = sum(key.endswith(".mask") for key in renamed)
    return {"depth": depth, "hidden_size": hidden_size, "num_features": num_features}, renamed
