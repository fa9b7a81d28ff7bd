"""Weights of well-known networks under our names: what ``from_...`` constructors read.

Each function gives the settings of the model that fits the weights, and the weights renamed.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ensue.errors import CheckpointError, ConfigError
from ensue.files import problem_of
from ensue.models.saved import precision_of

READING_GOES_WRONG = (OSError, EOFError, SafetensorError, UnpicklingError, RuntimeError)
# What torch's reader lets through where a file is something else.
READING_GOES_WRONG += (KeyError, ValueError, IndexError, AttributeError)
SIDES = (("encoder", "encoder.layers"), ("decoder", "decoder.layers"))
"""The two stacks of a sequence VAE, and the modules that hold them."""
M = TypeVar("M", bound=nn.Module)
Renamed = tuple[dict[str, Any], dict[str, Tensor]]


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The weights in a file: .safetensors, or what ``torch.save`` wrote of tensors alone.

    Raises:
        CheckpointError: It is missing or damaged, or holds more than tensors.
    """
    if problem := problem_of(path):
        raise CheckpointError(f"can't read weights from {str(path)!r}: {problem}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another protocol of pickle, which isn't read
            found = torch.load(path, map_location="cpu", weights_only=True)
    except READING_GOES_WRONG as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise CheckpointError(
            f"can't read weights from {str(path)!r}: {reason}; a pickled model isn't opened, save "
            "its state_dict()"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise CheckpointError(f"{str(path)!r} holds no state_dict: tensors by name, and only these")
    return found


def load_renamed(model: M, weights: Mapping[str, Tensor], of: str) -> M:
    """Load renamed weights into a model, in their precision, and return it.

    Args:
        model: What takes them.
        weights: By our names.
        of: Whose they are, for the message.

    Raises:
        ConfigError: They don't fit.
    """
    model.to(precision_of(weights.values()))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"these aren't the weights of {of}: {reason}") from error
    return model


def rename_cdck2(state_dict: Mapping[str, Tensor]) -> Renamed:
    """The CPC network of 2018; its predictors become the rows of one matrix.

    Raises:
        ConfigError: Keys are missing or unknown.
    """
    renamed: dict[str, Tensor] = {}
    unknown = []
    for key, value in state_dict.items():
        if m := re.fullmatch(r"encoder\.(0|3|6|9|12)\.weight", key):
            renamed[f"encoder.layers.{int(m[1]) // 3}.conv.weight"] = value
        elif m := re.fullmatch(r"encoder\.(1|4|7|10|13)\.(\w+)", key):
            renamed[f"encoder.layers.{int(m[1]) // 3}.norm.{m[2]}"] = value
        elif m := re.fullmatch(r"gru\.(\w+_l0)", key):
            renamed[f"context.{m[1]}"] = value
        elif not re.fullmatch(r"Wk\.\d+\.(weight|bias)", key):
            unknown.append(key)
    horizon = sum(re.fullmatch(r"Wk\.\d+\.weight", key) is not None for key in state_dict)
    needed = {"encoder.layers.0.conv.weight", "context.weight_hh_l0"}
    if unknown or not horizon or not needed <= renamed.keys():
        wrong = ", ".join(unknown) or "keys are missing"
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
    """The Real NVP of two tanh networks and a mask of its own in each coupling.

    Raises:
        ConfigError: Keys are missing or unknown, or a mask isn't of 0 and 1.
    """
    known = re.compile(r"layers\.(\d+)\.(b|map_[st]\.[02]\.(weight|bias))")
    unknown = [key for key in state_dict if not known.fullmatch(key)]
    depth = sum(key.endswith(".b") for key in state_dict)
    parts = [f"map_{m}.{n}.{of}" for m in "st" for n in (0, 2) for of in ("weight", "bias")]
    needed = {f"layers.{i}.{part}" for i in range(depth) for part in ("b", *parts)}
    if unknown or not depth or needed != set(state_dict):
        wrong = ", ".join(unknown) or "layers.0.b or other keys are missing"
        raise ConfigError(f"these aren't the weights of an NVPNet: {wrong}")
    masks, renamed = [], {}
    for i in range(depth):
        mask = _mask_of(state_dict, f"layers.{i}.b")
        masks.append("".join(str(int(kept)) for kept in mask))
        renamed[f"density.flow.layers.{i}.halves.mask"] = mask
        for part in parts:
            renamed[_key_of_coupling(i, part)] = state_dict[f"layers.{i}.{part}"]
    settings = {
        "depth": depth,
        "masks": tuple(masks),
        "hidden_sizes": (len(state_dict["layers.0.map_s.0.bias"]),),
        "activation": "tanh",
        "scale_bound": None,
        "num_features": len(masks[0]),
    }
    return settings, renamed


def _key_of_coupling(number: int, part: str) -> str:
    """Our key of a part of an NVPNet's coupling, such as ``map_s.0.weight``."""
    network, layer, name = part.split(".")
    side = "st".index(network[-1])
    ours = {"0": "hidden.0", "2": "last"}[layer]
    return f"density.flow.layers.{number}.networks.0.networks.{side}.{ours}.{name}"


def _mask_of(state_dict: Mapping[str, Tensor], key: str) -> Tensor:
    """A mask (D,), True = kept, of zeros and ones (D,) or (1, D)."""
    b = state_dict[key]
    mask = b.bool()
    if b.numel() != b.shape[-1:].numel() or not torch.equal(mask.to(b.dtype), b):
        raise ConfigError(
            f"{key} is {b.tolist()}; a mask is of 0 and 1, of the shape (D,) or (1, D)"
        )
    return mask.flatten()


MOSES_NAMES = {
    "x_emb.": "decoder.embedding.",
    "encoder_rnn.": "encoder.layers.",
    "q_mu.": "encoder.mu.",
    "q_logvar.": "encoder.log_var.",
    "decoder_rnn.": "decoder.layers.",
    "decoder_lat.": "decoder.first.",
    "decoder_fc.": "decoder.scores.",
}


def rename_moses(state_dict: Mapping[str, Tensor]) -> Renamed:
    """The VAE of the MOSES benchmark; what its lists of modules hold twice is left out.

    Raises:
        ConfigError: Keys are missing or unknown.
    """
    in_lists = r"(encoder|decoder|vae)\.\d+\."
    renamed, _ = _renamed(state_dict, MOSES_NAMES, "a MOSES VAE", in_lists)
    needed = {f"{layers}.weight_hh_l0" for _, layers in SIDES} | {"encoder.mu.bias"}
    if missing := needed - renamed.keys():
        raise ConfigError(f"these weights of a MOSES VAE lack {', '.join(sorted(missing))}")
    settings: dict[str, Any] = {
        "cell": _cell(renamed, "encoder.layers"),
        "embedding_size": renamed["decoder.embedding.weight"].shape[1],
        "latent_size": len(renamed["encoder.mu.bias"]),
        "bidirectional": "encoder.layers.weight_hh_l0_reverse" in renamed,
        "pooling": "last",
    }
    for side, layers in SIDES:
        settings[f"{side}_size"] = renamed[f"{layers}.weight_hh_l0"].shape[1]
        settings[f"{side}_layers"] = _num_layers(renamed, layers)
    return settings, renamed


IVQA_NAMES = {
    "embedding.": "decoder.embedding.",
    "Init_glimpse.Wih.": "decoder.first_of_concepts.",
    "Init_glimpse.Wah.": "decoder.first_of_answer.",
    "rnn.": "decoder.layers.",
    "coAtt.TContext.Wih.": "decoder.query.",
    "coAtt.TContext.Wah.": "decoder.query_of_answer.",
    "coAtt.MlbVT.Wleft.": "decoder.attention.pool.left.",
    "coAtt.MlbVT.Wright.": "decoder.attention.pool.right.",
    "coAtt.MlbVT.Uout.": "decoder.attention.pool.out.",
    "coAtt.MlbCZ.Wleft.": "decoder.joint.left.",
    "coAtt.MlbCZ.Wright.": "decoder.joint.right.",
    "coAtt.MlbCZ.Uout.": "decoder.joint.out.",
    "coAtt.Toscore.": "decoder.attention.to_score.",
    "predictor.Wih.": "decoder.scores.",
}


def rename_ivqa(state_dict: Mapping[str, Tensor]) -> Renamed:
    """The network of inverse VQA; products without a bias get one of zeros.

    Raises:
        ConfigError: Keys are missing or unknown.
    """
    renamed, beginnings = _renamed(state_dict, IVQA_NAMES, "inverse VQA")
    for name in sorted(beginnings - {"embedding.", "rnn."}):
        weight = renamed.get(f"{IVQA_NAMES[name]}weight")
        if weight is None:
            raise ConfigError(f"these weights of inverse VQA lack {name}weight")
        renamed.setdefault(f"{IVQA_NAMES[name]}bias", weight.new_zeros(len(weight)))
    if not _num_layers(renamed, "decoder.layers") or "decoder.embedding.weight" not in renamed:
        raise ConfigError("these weights of inverse VQA lack embedding.weight or rnn.weight_hh_l0")
    return _ivqa_settings(renamed), renamed


def _ivqa_settings(renamed: Mapping[str, Tensor]) -> dict[str, Any]:
    """The settings of an attention decoder with these weights."""
    size = lambda name: renamed[f"decoder.{name}.weight"].shape  # noqa: E731
    return {
        "cell": _cell(renamed, "decoder.layers"),
        "num_tokens": size("embedding")[0],
        "embedding_size": size("embedding")[1],
        "hidden_size": renamed["decoder.layers.weight_hh_l0"].shape[1],
        "num_layers": _num_layers(renamed, "decoder.layers"),
        "source_size": size("attention.pool.left")[1],
        "attention_size": size("attention.pool.left")[0],
        "score_size": size("attention.pool.out")[0],
        "query_size": size("query")[0],
        "joint_size": size("joint.left")[0],
        "glimpse_size": size("joint.out")[0],
        "answers": "vector",
        "answer_size": size("first_of_answer")[1],
        "concept_size": size("first_of_concepts")[1],
    }


def _cell(renamed: Mapping[str, Tensor], layers: str) -> str:
    """Which recurrent layers have these weights: an LSTM has four gates, a GRU three."""
    weight = renamed[f"{layers}.weight_hh_l0"]
    return "lstm" if len(weight) == 4 * weight.shape[1] else "gru"


def _num_layers(renamed: Mapping[str, Tensor], layers: str) -> int:
    pattern = rf"{re.escape(layers)}\.weight_hh_l\d+"
    return sum(re.fullmatch(pattern, key) is not None for key in renamed)


def _renamed(
    state_dict: Mapping[str, Tensor], names: Mapping[str, str], of: str, others: str = ""
) -> tuple[dict[str, Tensor], set[str]]:
    """Weights under our names, by how their keys begin; and the beginnings that were there.

    Args:
        state_dict: What was read.
        names: Beginnings of keys, all of which must be there, to ours.
        of: Whose weights these are, for the message.
        others: A pattern of keys that are left out.

    Raises:
        ConfigError: Keys are missing or unknown.
    """
    renamed, unknown, beginnings = {}, [], set()
    for key, value in state_dict.items():
        beginning = next((name for name in names if key.startswith(name)), None)
        if beginning is not None:
            renamed[names[beginning] + key.removeprefix(beginning)] = value
            beginnings.add(beginning)
        elif not (others and re.match(others, key)):
            unknown.append(key)
    if unknown or beginnings != names.keys():
        wrong = ", ".join(unknown or sorted(names.keys() - beginnings))
        raise ConfigError(f"these aren't the weights of {of}: {wrong}")
    return renamed, beginnings
