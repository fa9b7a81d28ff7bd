"""A small model and small inputs of every family, for the laws that all families keep.

A new family adds one row; the laws find it by the registry.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ensue.data.axes import Axis
from ensue.data.batches import Batch, Source
from ensue.data.kinds.text.codec import Special, TextCodec
from ensue.generation import GenerationConfig
from ensue.models.cpc import CPC, CPCConfig
from ensue.models.flows.maf import MAF, MAFConfig
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.models.registry import FAMILIES
from ensue.models.tokens.causal import Causal, CausalConfig
from ensue.models.tokens.charrnn import CharRNN, CharRNNConfig
from ensue.models.tokens.masked import Masked, MaskedConfig
from ensue.models.tokens.pixelcnn import PixelCNN, PixelCNNConfig
from ensue.models.tokens.seq2seq import Seq2Seq, Seq2SeqConfig
from ensue.models.tokens.vae import SequenceVAE, SequenceVAEConfig


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to build a small model of a family and items for it.

    Attributes:
        family: Its name in the registry.
        name: Of this variant.
        build: A new model with random weights.
        items: ``items(num)``: a list of single items, of different lengths where it can be.
        longest: Steps of the longest stretch.
        noisy: Whether its training draws from torch's own generator, as dropout does.
        stretch: ``stretch(num, steps)``: items of so many steps each, where they have a length.
        source: What an item is written from, a function of the item; or None.
        streams: Whether it runs step by step, and sees nothing of what is to come.
    """

    family: str
    name: str
    build: Callable[[], Any]
    items: Callable[[int], list[Tensor]]
    stretch: Callable[[int, int], Tensor] = torch.randn
    longest: int = 100_000
    noisy: bool = False
    source: Callable[[Tensor], Source] | None = None
    streams: bool = True

    def given(self, items: list[Tensor]) -> dict[str, Source]:
        """What items are written from, as an argument; nothing where that is nothing."""
        if self.source is None:
            return {}
        each = [self.source(item) for item in items]
        named = {f.name: [getattr(one, f.name) for one in each] for f in dataclasses.fields(Source)}
        joined = {n: torch.cat(of) for n, of in named.items() if of[0] is not None}
        return {"condition": Source(**joined)}

    def batch(self, items: list[Tensor]) -> Batch:
        """Items side by side, with what they are written from."""
        return dataclasses.replace(batch_of(items), **self.given(items))


def waveforms(num: int) -> list[Tensor]:
    return [torch.randn(2400 + 400 * (i % 4)) for i in range(num)]


def rows(num: int) -> list[Tensor]:
    return [torch.randn(5) for _ in range(num)]


def stepped_rows(num: int) -> list[Tensor]:
    """Of five values, the second 0.5, 1.5 or 2.5 and the third a multiple of one half."""
    items = rows(num)
    for x in items:
        x[1], x[2] = torch.randint(0, 3, ()) + 0.5, torch.randint(-4, 5, ()) / 2
    return items


def texts(num: int) -> list[Tensor]:
    return [tokens(1, 24 + 4 * (i % 4))[0] for i in range(num)]


def levels(num: int, steps: int) -> Tensor:
    """Images as tokens: of 5 levels, bos first."""
    return torch.randint(0, 5, (num, steps))


def pictures(num: int) -> list[Tensor]:
    return [torch.randint(0, 5, (3, 4, 5)) for _ in range(num)]


def wide_pictures(num: int) -> list[Tensor]:
    return [torch.randint(0, 5, (3, 4, 6)) for _ in range(num)]


def tokens(num: int, steps: int) -> Tensor:
    """Of the 9 that texts are made of; bos is 9 and eos 10."""
    return torch.randint(0, 9, (num, steps))


def charrnn(**settings: Any) -> Callable[[], CharRNN]:
    small = {"num_tokens": 11, "bos": 9, "eos": 10, "embedding_size": 6, "hidden_size": 8}
    few = GenerationConfig(max_length=40)
    return lambda: CharRNN(CharRNNConfig(**{**small, "generation": few, **settings}))


LETTERS = TextCodec(
    tokens="characters",
    vocabulary=tuple("abcdefghi"),
    special=Special(bos=9, eos=10, unk=11, pad=12),
)


def vae(**settings: Any) -> Callable[[], SequenceVAE]:
    small = {"codec": LETTERS, "embedding_size": 6, "encoder_size": 8, "decoder_size": 7}
    few = GenerationConfig(max_length=40)
    return lambda: SequenceVAE(
        SequenceVAEConfig(**{**small, "latent_size": 4, "generation": few, **settings})
    )


def seq2seq(**settings: Any) -> Callable[[], Seq2Seq]:
    small = {"num_tokens": 11, "bos": 9, "eos": 10, "source_size": 6, "embedding_size": 6}
    sizes = ("hidden_size", "attention_size", "query_size", "joint_size", "glimpse_size")
    small |= {**dict.fromkeys(sizes, 8), "answer_size": 4}
    few = GenerationConfig(max_length=40)
    return lambda: Seq2Seq(Seq2SeqConfig(**{**small, "generation": few, **settings}))


def source_of(item: Tensor, **given: bool) -> Source:
    """Regions, and what else is asked for, by the tokens of an item."""
    draw = torch.Generator().manual_seed(int((item * torch.arange(1, len(item) + 1)).sum()))
    return Source(
        regions=torch.randn(1, 5, 6, generator=draw),
        num_regions=torch.randint(2, 6, (1,), generator=draw),
        answer=torch.randint(0, 3, (1, 2 if "phrase" in given else 1), generator=draw)
        if "answer" in given
        else None,
        answer_lengths=torch.randint(1, 3, (1,), generator=draw) if "phrase" in given else None,
        concepts=torch.rand(1, 3, generator=draw) if "concepts" in given else None,
    )


def causal(**settings: Any) -> Callable[[], Causal]:
    small = {"channels": 8, "num_layers": 2}
    few = GenerationConfig(max_length=40)
    return lambda: Causal(CausalConfig(**{**small, "generation": few, **settings}))


def masked(**settings: Any) -> Callable[[], Masked]:
    small = {"num_tokens": 6, "bos": 5, "shape": (3, 4, 5), "embedding_size": 3}
    return lambda: Masked(MaskedConfig(**{**small, **settings}))


def pixelcnn(**settings: Any) -> Callable[[], PixelCNN]:
    small = {"num_tokens": 6, "bos": 5, "shape": (3, 4, 5), "channels": 6, "skip_channels": 7}
    return lambda: PixelCNN(PixelCNNConfig(**{**small, "num_layers": 2, **settings}))


def cpc(**settings: Any) -> Callable[[], CPC]:
    small = {"sample_rate": 16000, "channels": 16, "context_size": 12, "num_mels": 20, "horizon": 3}
    return lambda: CPC(CPCConfig(**{**small, "num_negatives": 8, **settings}))


def cpc_of_images(**settings: Any) -> Callable[[], CPC]:
    small = {"shape": (3, 14, 12), "num_tokens": 6, "channels": 8, "context_size": 6, "patch": 4}
    few = {"num_negatives": 8, "horizon": 2, "patch_width": 4, "num_context_layers": 2}
    return lambda: CPC(CPCConfig(**{**small, **few, **settings}))


def cpc_of_series(**settings: Any) -> Callable[[], CPC]:
    small = {"num_channels": 3, "num_steps": 40, "channels": 8, "context_size": 6, "horizon": 6}
    return lambda: CPC(CPCConfig(**{**small, "num_negatives": 8, **settings}))


def series(num: int) -> list[Tensor]:
    """Of three channels, with a tenth of the values missing."""
    return [gappy(1, 30 + 7 * (i % 4))[0] for i in range(num)]


def gappy(num: int, steps: int) -> Tensor:
    x = torch.randn(num, steps, 3)
    return x.masked_fill(torch.rand_like(x) < 0.1, torch.nan)


AXES = (
    Axis(num=9, first=-2.0, step=0.5),
    Axis(num=12, first=-2.0, step=0.4, warped=True),
    Axis(num=10, first=-1.0, step=0.3),
)
WIDE = (AXES[0], Axis(num=1000, first=-2.0, step=0.004), AXES[1])


def causal_series(**settings: Any) -> Callable[[], Causal]:
    return causal(**{"axes": AXES, "usual_steps": 27, "num_mixtures": 3, **settings})


def leveled(num: int) -> list[Tensor]:
    """Of three channels as levels, with a tenth of the values missing."""
    return [levels_of_series(1, 30 + 7 * (i % 4))[0] for i in range(num)]


def levels_of_series(num: int, steps: int) -> Tensor:
    x = torch.randint(0, 9, (num, steps, 3))
    return x.masked_fill(torch.rand(x.shape) < 0.1, 12)


def widely_leveled(num: int) -> list[Tensor]:
    return [wide_levels(1, 30 + 7 * (i % 4))[0] for i in range(num)]


def wide_levels(num: int, steps: int) -> Tensor:
    """Of three channels, the second with 1,000 levels."""
    x = torch.randint(0, 9, (num, steps, 3))
    x[..., 1] = torch.randint(0, 1000, (num, steps))
    return x.masked_fill(torch.rand(x.shape) < 0.1, 1000)


def photos(num: int) -> list[Tensor]:
    return [torch.randint(0, 5, (3, 14, 12)) for _ in range(num)]


OF_IMAGES: dict[str, Any] = {
    "num_features": None,
    "hidden_sizes": (64, 64),
    "num_tokens": 6,
    "bos": 5,
    "depth": 2,
    "channels": 5,
}


def realnvp(**settings: Any) -> Callable[[], RealNVP]:
    small = {"num_features": 5, "depth": 4, "hidden_sizes": (8,)}
    # Splines are steep soon, and rounding then counts; the more where convolutions steer them.
    far = 0.05 if "shape" in settings else 0.1 if "transform" in settings else 0.2
    return lambda: away(RealNVP(RealNVPConfig(**{**small, **settings})), far)


def maf(**settings: Any) -> Callable[[], MAF]:
    small = {"num_features": 5, "depth": 3, "hidden_sizes": (9, 7)}
    far = 0.1 if "transform" in settings else 0.2
    return lambda: away(MAF(MAFConfig(**{**small, **settings})), far)


def away(model: Any, far: float = 0.2) -> Any:
    """A flow, which begins as the identity, away from there."""
    for parameter in model.parameters():
        parameter.data += far * torch.randn_like(parameter)
    return model


CASES = [
    Case(family="cpc", name="log_mel", build=cpc(encoder="log_mel"), items=waveforms),
    Case(
        family="cpc",
        name="other throats, sliding mean",
        build=cpc(vocal_tract_perturbation=0.1, cmn_frames=6, pooling="extremes"),
        items=waveforms,
    ),
    Case(family="cpc", name="waveform", build=cpc(encoder="waveform"), items=waveforms),
    Case(
        family="cpc",
        name="sampled anchors",
        build=cpc(encoder="waveform", num_anchors=4, own_sequence=False, nearest=2),
        items=waveforms,
    ),
    Case(
        family="cpc",
        name="aligned, two GRU layers of torch",
        build=cpc(encoder="log_mel", candidates="aligned", num_context_layers=2, recurrent="torch"),
        items=waveforms,
    ),
    Case(
        family="cpc",
        name="forward and backward",
        build=cpc(directions=("forward", "backward"), embedding="both"),
        items=waveforms,
        streams=False,
    ),
    Case(family="cpc", name="series", build=cpc_of_series(), items=series, stretch=gappy),
    Case(
        family="cpc",
        name="series at half the rate, backward too",
        build=cpc_of_series(
            kernels=(5, 4), strides=(1, 2), directions=("forward", "backward"), pooling="extremes"
        ),
        items=series,
        stretch=gappy,
        streams=False,
    ),
    Case(family="cpc", name="patches", build=cpc_of_images(), items=photos, streams=False),
    Case(
        family="cpc",
        name="patches changed in training, four directions, cells",
        build=cpc_of_images(
            directions=("down", "up", "right", "left"),
            pooling="cells",
            patch_crop=1,
            patch_flip=True,
            patch_color=0.3,
            patch_gray=0.3,
            nearest=2,
        ),
        items=photos,
        streams=False,
    ),
    Case(
        family="cpc",
        name="patches by a ResNet, aligned",
        build=cpc_of_images(
            encoder="patch_resnet", resnet_width=4, patch_width=64, candidates="aligned"
        ),
        items=photos,
        streams=False,
    ),
    Case(family="charrnn", name="lstm", build=charrnn(cell="lstm"), items=texts, stretch=tokens),
    Case(
        family="charrnn",
        name="gru, layer norm, zoneout",
        build=charrnn(cell="gru", num_layers=2, layer_norm=True, zoneout=0.1),
        items=texts,
        noisy=True,
        stretch=tokens,
    ),
    Case(
        family="causal",
        name="convolution",
        build=causal(num_tokens=11, bos=9, eos=10, num_layers=3, dilations=(1, 2, 4)),
        items=texts,
        stretch=tokens,
    ),
    Case(
        family="causal",
        name="transformer",
        build=causal(num_tokens=11, bos=9, eos=10, backbone="transformer", attention_window=30),
        items=texts,
        stretch=tokens,
    ),
    Case(
        family="causal",
        name="images",
        build=causal(num_tokens=6, bos=5, shape=(3, 4, 5)),
        items=pictures,
        stretch=levels,
        longest=61,
    ),
    Case(
        family="causal",
        name="series",
        build=causal_series(num_layers=3, num_lags=4),
        items=leveled,
        stretch=levels_of_series,
    ),
    Case(
        family="causal",
        name="series of many levels",
        build=causal_series(axes=WIDE, usual_steps=22, classes=("a", "b")),
        items=widely_leveled,
        stretch=wide_levels,
    ),
    Case(
        family="causal",
        name="series by attention",
        build=causal_series(backbone="transformer", attention_window=40),
        items=leveled,
        stretch=levels_of_series,
    ),
    Case(family="vae", name="gru", build=vae(), items=texts, stretch=tokens),
    Case(
        family="vae",
        name="lstm of several layers, last state, schedule, free bits, word dropout",
        build=vae(
            cell="lstm",
            pooling="last",
            encoder_layers=2,
            decoder_layers=2,
            kl_schedule="cyclical",
            kl_steps=10,
            free_bits=2.0,
            word_dropout=0.3,
        ),
        items=texts,
        stretch=tokens,
    ),
    Case(
        family="vae",
        name="gru, mean, free bits of the batch",
        build=vae(pooling="mean", bidirectional=False, free_bits=3.0, free_bits_of="batch"),
        items=texts,
        stretch=tokens,
    ),
    Case(
        family="seq2seq",
        name="lstm, one token as answer",
        build=seq2seq(answers="token", num_answer_tokens=3),
        items=texts,
        stretch=tokens,
        source=partial(source_of, answer=True),
    ),
    Case(
        family="seq2seq",
        name="gru of two layers, phrases, concepts, dropout, partly without teacher",
        build=seq2seq(
            cell="gru",
            num_layers=2,
            answers="phrase",
            num_answer_tokens=3,
            concept_size=3,
            dropout=0.2,
            label_smoothing=0.1,
            teacher_forcing=0.5,
        ),
        items=texts,
        stretch=tokens,
        noisy=True,
        source=partial(source_of, answer=True, phrase=True, concepts=True),
    ),
    Case(
        family="seq2seq",
        name="additive attention to regions by layers of their own, input feeding",
        build=seq2seq(attention="additive", region_size=7, region_components=5, input_feeding=True),
        items=texts,
        stretch=tokens,
        source=source_of,
    ),
    Case(
        family="masked",
        name="any order",
        build=masked(order="random", channels=6),
        items=pictures,
    ),
    Case(
        family="masked",
        name="raster",
        build=masked(order="raster", network="mlp", hidden_size=8, num_layers=0),
        items=pictures,
    ),
    Case(
        family="masked",
        name="made",
        build=masked(network="made", hidden_size=70, num_layers=2, num_orders=2),
        items=pictures,
    ),
    Case(
        family="pixelcnn",
        name="a score for each level, classes",
        build=pixelcnn(kernel_size=3, classes=("a", "b")),
        items=pictures,
    ),
    Case(
        family="pixelcnn",
        name="logistic",
        build=pixelcnn(head="logistic", num_mixtures=3),
        items=pictures,
    ),
    Case(family="maf", name="affine", build=maf(), items=rows),
    Case(
        family="maf",
        name="splines, classes",
        build=maf(transform="spline", classes=("a", "b"), depth=2),
        items=rows,
    ),
    Case(
        family="maf",
        name="one value",
        build=maf(num_features=1),
        items=lambda n: [*torch.randn(n, 1)],
    ),
    Case(
        family="maf",
        name="images",
        build=maf(
            num_features=None,
            num_tokens=6,
            bos=5,
            shape=(3, 4, 5),
            depth=2,
            hidden_sizes=(61, 59),
        ),
        items=pictures,
    ),
    Case(
        family="realnvp",
        name="images",
        build=realnvp(**OF_IMAGES, shape=(3, 4, 6)),
        items=wide_pictures,
    ),
    Case(
        family="realnvp",
        name="images by splines, classes",
        build=realnvp(**OF_IMAGES, shape=(3, 4, 6), classes=("a", "b"), transform="spline"),
        items=wide_pictures,
    ),
    Case(
        family="realnvp",
        name="images with learnt noise, mixing",
        build=realnvp(**OF_IMAGES, shape=(3, 4, 6), dequantization="variational", mixing=True),
        items=wide_pictures,
    ),
    Case(family="realnvp", name="half masks", build=realnvp(mask="half"), items=rows),
    Case(
        family="realnvp",
        name="masks of its own",
        build=realnvp(masks=("10110", "01001", "00000", "11111")),
        items=rows,
    ),
    Case(
        family="realnvp",
        name="splines, mixing, classes",
        build=realnvp(transform="spline", mixing=True, classes=("a", "b"), activation="silu"),
        items=rows,
    ),
    Case(
        family="realnvp",
        name="values in steps",
        build=realnvp(grid=((0, 0, 0), (0.5, 1, 3), (-1, 0.5, 0), (0, 0, 0), (0, 0, 0))),
        items=stepped_rows,
    ),
]

assert {case.family for case in CASES} == set(FAMILIES), "every family needs a case"


def cases_with(contract: str) -> list[Case]:
    """The cases whose family claims a contract in the registry."""
    return [case for case in CASES if contract in FAMILIES[case.family].contracts]


def cases_that_stream(contract: str) -> list[Case]:
    return [case for case in cases_with(contract) if case.streams]


def label(case: Case) -> str:
    return f"{case.family}-{case.name}"


def batch_of(items: list[Tensor], *, extra: int = 0) -> Batch:
    """Items side by side; of different lengths, they are padded, by ``extra`` steps more."""
    is_row = items[0].dim() == 1 and items[0].is_floating_point() and len(items[0]) < 100
    if items[0].dim() == 3 or is_row:
        return Batch(x=torch.stack(items))
    lengths = torch.tensor([len(item) for item in items])
    x = items[0].new_zeros(len(items), int(lengths.max()) + extra, *items[0].shape[1:])
    for row, item in enumerate(items):
        x[row, : len(item)] = item
    return Batch(x=x, lengths=lengths)
