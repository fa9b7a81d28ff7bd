"""One process = two: loss and gradients, with everything drawn alike."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ensue.data.batches import Batch
from ensue.data.kinds.text.codec import TextCodec
from ensue.models.cpc import CPC, CPCConfig
from ensue.models.tokens.vae import SequenceVAE, SequenceVAEConfig


def cpc(**settings: Any) -> tuple[Any, Batch]:
    torch.manual_seed(0)
    small = {"encoder": "waveform", "channels": 8, "context_size": 6, "num_negatives": 5}
    config = CPCConfig(horizon=3, **{**small, **settings})
    x, lengths = torch.randn(4, 2000), torch.tensor([2000, 1200, 1700, 2000])
    return CPC(config).double(), Batch(x=x.double(), lengths=lengths)


def cpc_of_series() -> tuple[Any, Batch]:
    torch.manual_seed(0)
    config = CPCConfig(num_channels=2, num_steps=40, channels=8, context_size=6, jitter=0.3)
    x = torch.randn(4, 40, 2).double()
    x[1, 5:9] = torch.nan
    return CPC(config).double(), Batch(x=x, lengths=torch.tensor([40, 40, 31, 40]))


def cpc_of_images(**settings: Any) -> tuple[Any, Batch]:
    torch.manual_seed(0)
    small = {"patch": 4, "channels": 8, "context_size": 6, "num_negatives": 5, "patch_width": 4}
    changed = {"patch_crop": 1, "patch_flip": True, "patch_color": 0.3, "patch_gray": 0.3}
    several = {"directions": ("down", "up", "right", "left"), "horizon": 2}
    config = CPCConfig(
        shape=(3, 12, 14), num_tokens=257, **{**small, **changed, **several, **settings}
    )
    return CPC(config).double(), Batch(x=torch.randint(0, 256, (4, 3, 12, 14)))


def vae(free_bits: float, kind: Any) -> tuple[Any, Batch]:
    """Of free bits that some of the units, or sequences, have used and others haven't."""
    torch.manual_seed(0)
    codec = TextCodec(tokens="characters", vocabulary=tuple("abcd"))
    config = SequenceVAEConfig(
        codec=codec,
        encoder_size=8,
        decoder_size=8,
        latent_size=6,
        free_bits=free_bits,
        free_bits_of=kind,
        word_dropout=0.3,
    )
    x, lengths = torch.randint(0, 4, (4, 9)), torch.tensor([9, 5, 7, 9])
    return SequenceVAE(config).double(), Batch(x=x, lengths=lengths)


VARIANTS = {
    "all times": cpc,
    "anchors, others only": partial(cpc, num_anchors=3, own_sequence=False),
    "aligned": partial(cpc, candidates="aligned"),
    "other throats": partial(
        cpc, encoder="log_mel", sample_rate=16000, vocal_tract_perturbation=0.2
    ),
    "forward and backward": partial(cpc, directions=("forward", "backward")),
    "noisy series": cpc_of_series,
    "images, own and others": cpc_of_images,
    "images, others only": partial(cpc_of_images, own_sequence=False, num_anchors=7),
    "images, own only": partial(cpc_of_images, num_negatives=0),
    "images, aligned": partial(cpc_of_images, candidates="aligned"),
    "images, nearest skipped": partial(cpc_of_images, nearest=2),
    "free bits of sequences": partial(vae, 0.12, "sequence"),
    "free bits of the batch": partial(vae, 0.01, "batch"),
    "free bits of units": partial(vae, 0.1, "unit"),
}


def gradient_of(model: Any) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def work(rank: int, variant: str, folder: str) -> None:
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    model, batch = VARIANTS[variant]()
    own = slice(2 * rank, 2 * rank + 2)
    lengths = None if batch.lengths is None else batch.lengths[own]
    loss = model.loss(Batch(x=batch.x[own], lengths=lengths), step=7)
    loss.total.backward()
    gradient, total, count = gradient_of(model), loss.total.detach(), loss.count
    for value in (gradient, total, count):
        dist.all_reduce(value)
    if rank == 0:
        torch.save({"gradient": gradient, "total": total, "count": count}, f"{folder}/sum.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("variant", VARIANTS)
def test_loss_and_gradients_of_two_processes_add_up_to_those_of_one(
    variant: str, tmp_path: Path
) -> None:
    model, batch = VARIANTS[variant]()
    loss = model.loss(batch, step=7)
    loss.total.backward()
    mp.spawn(work, args=(variant, str(tmp_path)), nprocs=2)
    two = torch.load(tmp_path / "sum.pt")
    assert loss.count == two["count"]
    # float64: what is left is the order of a few sums.
    torch.testing.assert_close(two["total"], loss.total.detach(), rtol=0, atol=1e-9)
    torch.testing.assert_close(two["gradient"], gradient_of(model), rtol=0, atol=1e-9)
