"""Packing: the steps of padded sequences as torch packs them, and their sums."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence

from ensue.nn import GRU
from ensue.nn.packing import Packing, run_packed


def test_steps_stand_as_torch_packs_them(seed: int) -> None:
    lengths = torch.randint(1, 9, (12,))
    x = torch.randn(12, 11, 3)
    packing = Packing.of(lengths)
    expected = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    assert torch.equal(expected.batch_sizes, packing.sizes)
    # Which of two sequences of one length comes first is free: sums and outputs can't tell.
    torch.testing.assert_close(packing.pack(x).sum(0), expected.data.sum(0))
    valid = torch.arange(11) < lengths[:, None]
    torch.testing.assert_close(packing.sum(packing.pack(x)), (x * valid[..., None]).sum(1))


def test_layers_give_what_they_give_of_each_sequence_alone(seed: int) -> None:
    lengths = torch.tensor([4, 1, 6, 4])
    x, layers = torch.randn(4, 6, 3).double(), GRU(3, 5, 2, bidirectional=True).double()
    packing = Packing.of(lengths)
    y, last = run_packed(layers, packing.pack(x), packing)
    for row, n in enumerate(lengths.tolist()):
        out, h = layers(x[row, :n][:, None])
        torch.testing.assert_close(y[packing.row == row], out[:, 0])
        torch.testing.assert_close(last[:, row], h[:, 0])
