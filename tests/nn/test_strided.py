"""Strided stacks: the formulas for hop, receptive field and offset hold for what the code does."""

import pytest
import torch

from ensue.nn import LogMel, StridedStack, log_mel_encoder, waveform_encoder

STACKS = {
    "waveform": lambda: waveform_encoder(channels=4),
    "log_mel": lambda: log_mel_encoder(8000, channels=4, num_mels=10, num_layers=2),
    "cmn": lambda: log_mel_encoder(8000, channels=4, num_mels=10, num_layers=1, cmn_frames=9),
    "odd": lambda: waveform_encoder(
        channels=3, kernel_sizes=(7, 3), strides=(3, 2), paddings=(2, 1)
    ),
}


@pytest.fixture(params=STACKS, name="stack")
def a_stack(request: pytest.FixtureRequest) -> StridedStack:
    return STACKS[request.param]().double()


def test_frame_sees_exactly_its_receptive_field(stack: StridedStack, seed: int) -> None:
    """The gradient of frame t is nonzero only where the formula says, and at both of its ends."""
    x = torch.randn(1, 40 * stack.hop, dtype=torch.float64, requires_grad=True)
    z, _ = stack(x)
    t = 17
    (gradient,) = torch.autograd.grad(z[0, t].square().sum(), x)
    seen = gradient[0].nonzero().flatten()
    begin = t * stack.hop - stack.offset
    end = begin + stack.receptive_field
    assert begin <= seen.min()
    assert seen.max() < end
    if not isinstance(stack.layers[0], LogMel):  # a Hann window is zero at its first sample
        assert seen.min() == begin
        assert seen.max() == end - 1


def test_number_of_frames_is_what_comes_out(stack: StridedStack) -> None:
    for samples in (stack.receptive_field, 777, 1600, 1601):
        assert stack(torch.zeros(1, samples, dtype=torch.float64))[0].shape[1] == stack.num_frames(
            samples
        )


def test_paddings_of_the_waveform_encoder_give_one_frame_a_hop() -> None:
    stack = waveform_encoder(channels=2)
    assert (stack.hop, stack.receptive_field) == (160, 465)
    assert stack.num_frames(20480) == 128


def test_lengths_hide_what_lies_beyond(stack: StridedStack, seed: int) -> None:
    x = torch.randn(1, 1500, dtype=torch.float64)
    alone, _ = stack(x)
    longer = torch.cat([x, 100 + torch.randn(1, 900, dtype=torch.float64)], dim=1)
    z, num_frames = stack(longer, torch.tensor([1500]))
    assert num_frames.tolist() == [alone.shape[1]]
    torch.testing.assert_close(z[:, : alone.shape[1]], alone)
