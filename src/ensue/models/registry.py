"""The registry: one literal table of the model families; nothing registers itself by import."""

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from ensue.errors import ConfigError, unknown


@dataclass(frozen=True, kw_only=True)
class Family:
    """A row of the registry.

    Attributes:
        module: Where it stands.
        model: Name of the model class; its configuration is that name with ``Config``.
        codecs: Kinds of data that it models, each with the name of the codec that reads them.
        contracts: The contracts that it keeps, by the names in ``models.protocols.CONTRACTS``.
        summary: One line for ``ensue list families``.
        objective: What is minimized, for the model card.
        limits: What a user must know of its figures, for the model card.
        keeps: Weights that a run ends with unless ``keep`` is set: ``best`` (by validation) where
            the validation loss is the goal itself, ``last`` where it is only a bound.
    """

    module: str
    model: str
    codecs: dict[str, str]
    contracts: tuple[str, ...]
    summary: str
    objective: str
    limits: tuple[str, ...]
    keeps: Literal["last", "best"] = "best"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of data that it models."""
        return tuple(self.codecs)


_OF_FLOWS = (
    "Of whole numbers, categories and levels of images it gives a lower bound of a probability.",
    "Far from the data a density says little.",
    "Each window of a series is modeled alone, without what came before it.",
)

FAMILIES = {
    "cpc": Family(
        module="ensue.models.cpc",
        model="CPC",
        codecs={"audio": "audio", "image": "image", "series": "series"},
        contracts=("trains", "encodes", "layers", "scores", "steps"),
        summary="Contrastive Predictive Coding: features of sound, images, series without labels",
        objective="InfoNCE (van den Oord, Li, Vinyals 2018, eq. 4): from the context up to now, "
        "tell the true frame k steps ahead, or k rows below, from others; summed over k, in nats.",
        limits=(
            "Its score is information, a lower bound that never exceeds the logarithm of the "
            "number of candidates. It is no likelihood, and scores among other candidates can't be "
            "compared with it.",
            "It can't generate.",
        ),
        keeps="last",
    ),
    "causal": Family(
        module="ensue.models.tokens.causal",
        model="Causal",
        codecs={
            "audio": "mu_law",
            "image": "image",
            "series": "levels",
            "smiles": "text",
            "text": "text",
        },
        contracts=("trains", "encodes", "scores", "samples", "completes", "codes", "steps"),
        summary="Causal convolutions, attention: exact likelihood of sound, images, series, texts",
        objective="Negative log-likelihood of each token given those before it (van den Oord et "
        "al. 2016, 1609.03499, eq. 1), in nats; of images row by row, of series step by step.",
        limits=(
            "A window of training begins without memory of what came before it.",
            "An image is read from the upper left: only what lies below can be completed.",
            "Values of a series are levels; what lies beyond those of training is cut there.",
        ),
    ),
    "charrnn": Family(
        module="ensue.models.tokens.charrnn",
        model="CharRNN",
        codecs={"smiles": "text", "text": "text"},
        contracts=("trains", "encodes", "scores", "samples", "completes", "codes", "steps"),
        summary="Recurrent language model: exact likelihood of texts, samples, completions",
        objective="Negative log-likelihood of each token given those before it (Graves 2013, "
        "eq. 3), in nats.",
        limits=(
            "A window of training begins without memory of what came before it.",
            "Its texts are likely, not true.",
        ),
    ),
    "vae": Family(
        module="ensue.models.tokens.vae",
        model="SequenceVAE",
        codecs={"smiles": "text", "text": "text"},
        contracts=("trains", "encodes", "scores", "samples", "latents"),
        summary="Sequence VAE: molecules and sentences by way of a vector, drawn and searched",
        objective="Negative evidence lower bound of each sequence (Bowman et al. 2016, 1511.06349, "
        "eq. 1), in nats.",
        limits=(
            "Its score is a lower bound on the log-likelihood.",
            "A molecule that it writes may be impossible, unstable or poisonous.",
        ),
        keeps="last",
    ),
    "seq2seq": Family(
        module="ensue.models.tokens.seq2seq",
        model="Seq2Seq",
        codecs={"question": "question"},
        contracts=("trains", "scores", "samples"),
        summary="Attention decoder: the question that fits a picture and its answer",
        objective="Negative log-likelihood of each token given those before it and the source (Liu "
        "et al. 2018, inverse visual question answering), in nats.",
        limits=(
            "Its texts are likely given what it saw in training; it knows nothing else.",
            "Weights of attention tell where it looked, not why it wrote a word.",
        ),
    ),
    "masked": Family(
        module="ensue.models.tokens.masked",
        model="Masked",
        codecs={"image": "image"},
        contracts=("trains", "scores", "samples", "completes", "codes"),
        summary="Any-order autoregression: fills in whatever is missing of an image",
        objective="Negative log-likelihood of unknown values given any known ones, in the mean "
        "over orders (Hoogeboom et al. 2022, 2110.02037, eq. 8), in nats.",
        limits=("Its score is the log-likelihood in one order; another order gives another one.",),
    ),
    "pixelcnn": Family(
        module="ensue.models.tokens.pixelcnn",
        model="PixelCNN",
        codecs={"image": "image"},
        contracts=("trains", "encodes", "scores", "samples", "completes", "codes"),
        summary="Gated PixelCNN: exact likelihood of images, by class where there are classes",
        objective="Negative log-likelihood of each value of an image given those before it (van "
        "den Oord et al. 2016, 1601.06759, eq. 1 and 2; gated: 1606.05328), in nats.",
        limits=("An image is read from the upper left: only what lies below can be completed.",),
    ),
    "maf": Family(
        module="ensue.models.flows.maf",
        model="MAF",
        codecs={"image": "image", "series": "windows", "table": "table"},
        contracts=("trains", "encodes", "scores", "samples"),
        summary="Masked autoregressive flow: density of rows, images, windows of series",
        objective="Negative log-likelihood by the change of variables (Papamakarios et al. 2017, "
        "1705.07057, eq. 4 and 5), in nats; densities are stated in the table's own units.",
        limits=_OF_FLOWS,
    ),
    "realnvp": Family(
        module="ensue.models.flows.realnvp",
        model="RealNVP",
        codecs={"image": "image", "series": "windows", "table": "table"},
        contracts=("trains", "encodes", "scores", "samples"),
        summary="Real NVP: density of rows, images, windows of series, affine or by splines",
        objective="Negative log-likelihood by the change of variables (Dinh, Sohl-Dickstein, "
        "Bengio 2017, eq. 3), in nats; densities are stated in the table's own units.",
        limits=_OF_FLOWS,
    ),
}


def family_row(family: str) -> Family:
    """The row of a family.

    Raises:
        ConfigError: There is no such family.
    """
    if family not in FAMILIES:
        raise ConfigError(unknown("family", family, FAMILIES))
    return FAMILIES[family]


def model_class(family: str) -> Any:
    """The model class of a family, imported now."""
    row = family_row(family)
    return getattr(importlib.import_module(row.module), row.model)


def config_class(family: str) -> Any:
    """The configuration class of a family, imported now."""
    row = family_row(family)
    return getattr(importlib.import_module(row.module), f"{row.model}Config")


def families_with(contract: str) -> list[str]:
    """The families that keep a contract."""
    return [name for name, row in FAMILIES.items() if contract in row.contracts]


def require_contract(family: str, contract: str) -> None:
    """Refuse a family without the contract, and name those that have it.

    Raises:
        ConfigError: The family doesn't keep the contract.
    """
    if contract not in family_row(family).contracts:
        able = ", ".join(families_with(contract)) or "none yet"
        raise ConfigError(
            f"the family {family!r} doesn't keep the contract {contract!r}; "
            f"families that do: {able}"
        )
