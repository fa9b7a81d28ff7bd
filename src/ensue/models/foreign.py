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
    """The Real NVP of two tanh networks and a mask of its own in each coupling.

    Raises:
        ConfigError: Keys are missing or unknown, or a mask isn't of 0 and 1.
    """
    known = re.compile(r"layers\.(\d+)\.(b|map_[st]\.[02]\.(weight|bias))")
    strangers = [key for key in state_dict if not known.fullmatch(key)]
    depth = sum(key.endswith(".b") for key in state_dict)
    parts = [f"map_{m}.{n}.{of}" for m in "st" for n in (0, 2) for of in ("weight", "bias")]
    needed = {f"layers.{i}.{part}" for i in range(depth) for part in ("b", *parts)}
    if strangers or not depth or needed != set(state_dict):
        wrong = ", ".join(strangers) or "layers.0.b or other keys are missing"
        raise ConfigError(f"these aren't the weights of an NVPNet: {wrong}")
    names = {"0": "hidden.0", "2": "last"}
    masks, renamed = [], {}
    for i in range(depth):
        coupling = f"density.flow.layers.{i}"
        mask = _mask_of(state_dict, f"layers.{i}.b")
        masks.append("".join(str(int(kept)) for kept in mask))
        renamed[f"{coupling}.halves.mask"] = mask
        for part in parts:
            network, layer, of = part.split(".")
            side = "st".index(network[-1])
            key = f"{coupling}.networks.0.networks.{side}.{names[layer]}.{of}"
            renamed[key] = state_dict[f"layers.{i}.{part}"]
    settings = {
        "depth": depth,
        "masks": tuple(masks),
        "hidden_sizes": (len(state_dict["layers.0.map_s.0.bias"]),),
        "activation": "tanh",
        "scale_bound": None,
        "num_features": len(masks[0]),
    }
    return settings, renamed


def _mask_of(state_dict: Mapping[str, Tensor], key: str) -> Tensor:
    """A mask (D,), True = kept, of zeros and ones (D,) or (1, D)."""
    b = state_dict[key]
    mask = b.bool()
    if b.numel() != b.shape[-1:].numel() or not torch.equal(mask.to(b.dtype), b):
        raise ConfigError(
            f"{key} is {b.tolist()}; a mask is of 0 and 1, of the shape (D,) or (1, D)"
        )
    return mask.flatten()


def rename_moses(state_dict: Mapping[str, Tensor]) -> Renamed:
    """The VAE of the MOSES benchmark; what its lists of modules hold twice is left out.

    Raises:
        ConfigError: Keys are missing or unknown.
    """
    names = {
        "x_emb.": "decoder.embedding.",
        "encoder_rnn.": "encoder.layers.",
        "q_mu.": "encoder.mu.",
        "q_logvar.": "encoder.log_var.",
        "decoder_rnn.": "decoder.layers.",
        "decoder_lat.": "decoder.first.",
        "decoder_fc.": "decoder.scores.",
    }
    in_lists = r"(encoder|decoder|vae)\.\d+\."
    renamed, _ = _renamed(state_dict, names, "a MOSES VAE", in_lists)
    needed = {f"{name}.weight_hh_l0" for _, name in SIDES} | {"encoder.mu.bias"}
    if missing := needed - renamed.keys():
        raise ConfigError(f"these weights of a MOSES VAE lack {', '.join(sorted(missing))}")
    in_both = "encoder.layers.weight_hh_l0_reverse" in renamed
    sizes = {f"{side}_size": renamed[f"{name}.weight_hh_l0"].shape[1] for side, name in SIDES}
    layers = {
        f"{side}_layers": sum(
            re.fullmatch(rf"{re.escape(name)}\.weight_hh_l\d+", key) is not None for key in renamed
        )
        for side, name in SIDES
    }
    is_lstm = len(renamed["encoder.layers.weight_hh_l0"]) == 4 * sizes["encoder_size"]
    settings = {
        "cell": "lstm" if is_lstm else "gru",
        "embedding_size": renamed["decoder.embedding.weight"].shape[1],
        "latent_size": len(renamed["encoder.mu.bias"]),
        "bidirectional": in_both,
        "pooling": "last",
        **sizes,
        **layers,
    }
    return settings, renamed


def rename_ivqa(state_dict: Mapping[str, Tensor]) -> Renamed:
    """The network of inverse VQA; products without a bias get one of zeros.

    Raises:
        ConfigError: Keys are missing or unknown.
    """
    names = {
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
    renamed, found = _renamed(state_dict, names, "inverse VQA")
    for own in sorted(found - {"embedding.", "rnn."}):
        weight = renamed.get(f"{names[own]}weight")
        if weight is None:
            raise ConfigError(f"these weights of inverse VQA lack {own}weight")
        renamed.setdefault(f"{names[own]}bias", weight.new_zeros(len(weight)))
    layers = [key for key in renamed if re.fullmatch(r"decoder\.layers\.weight_hh_l\d+", key)]
    if not layers or "decoder.embedding.weight" not in renamed:
        raise ConfigError("these weights of inverse VQA lack embedding.weight or rnn.weight_hh_l0")
    H = renamed["decoder.layers.weight_hh_l0"].shape[1]
    size = lambda name: renamed[f"decoder.{name}.weight"].shape  # noqa: E731
    settings = {
        "cell": "lstm" if len(renamed["decoder.layers.weight_hh_l0"]) == 4 * H else "gru",
        "num_tokens": len(renamed["decoder.embedding.weight"]),
        "embedding_size": renamed["decoder.embedding.weight"].shape[1],
        "hidden_size": H,
        "num_layers": len(layers),
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
    return settings, renamed


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
    renamed, strangers, found = {}, [], set()
    for key, value in state_dict.items():
        own = next((name for name in names if key.startswith(name)), None)
        if own is not None:
            renamed[names[own] + key.removeprefix(own)] = value
            found.add(own)
        elif not (others and re.match(others, key)):
            strangers.append(key)
    if strangers or found != names.keys():
        wrong = ", ".join(strangers or sorted(names.keys() - found))
        raise ConfigError(f"these aren't the weights of {of}: {wrong}")
    return renamed, found
