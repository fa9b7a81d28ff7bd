"""The laws of the batch."""

import dataclasses

import torch

from ensue.data.batches import Batch


def test_moving_a_batch_moves_every_tensor() -> None:
    names = [f.name for f in dataclasses.fields(Batch)]
    whole = Batch(**{name: torch.zeros(3, 2) for name in names})
    moved = whole.to("meta")
    assert [getattr(moved, name).device.type for name in names] == ["meta"] * len(names)
    assert len(moved) == 3


def test_moving_a_batch_leaves_out_what_is_not_there() -> None:
    moved = Batch(x=torch.zeros(3, 2)).to("meta", non_blocking=True)
    assert moved.x.device.type == "meta"
    assert moved.lengths is moved.item is moved.group is moved.condition is moved.known is None
