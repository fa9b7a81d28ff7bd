"""Views: the frames that contexts are made of, and those that are predicted.

In training they may differ from the data and from each other, so that what the two share by
accident (a voice, a color that runs on across an edge) can't give the answer away. Every process
draws for the global batch, alike, and takes what concerns its rows.

Dims: B batch, T frames, C channels, P pixels on a side of a patch, D features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from ensue.information import gather_rows
from ensue.models.cpc.encoder_config import LogMelConfig, PatchConfig, SeriesConfig
from ensue.nn import StridedStack
from ensue.nn.patches import PatchFrames
from ensue.nn.spectral import LogMel

GRAY = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""


@dataclass(frozen=True)
class Views:
    """Two views of a batch.

    Attributes:
        seen: (B, T, D) frames that contexts are made of.
        predicted: (B, T, D) frames of the futures and candidates.
        num_frames: (B,) valid frames, or None where all are.
    """

    seen: Tensor
    predicted: Tensor
    num_frames: Tensor | None


def views_of(
    encoder: nn.Module,
    settings: object,
    x: Tensor,
    lengths: Tensor | None,
    *,
    sample_rate: int | None,
    step: int,
) -> Views:
    """The views of a training batch, as the settings of the encoder ask for.

    Args:
        encoder: From (x, lengths) to (z, lengths).
        settings: Of the encoder.
        x: Items.
        lengths: (B,) their lengths, or None.
        sample_rate: Hz, of sound.
        step: Draws the changes: those of a step are the same in every run.
    """
    if isinstance(settings, PatchConfig) and isinstance(encoder, PatchFrames):
        draws = Draws(x, step)
        z = encoder.of_patches(changed_patches(encoder.patches(x), settings, draws))
        return Views(z, z, None)
    if isinstance(settings, SeriesConfig) and settings.jitter:
        # Frames that are predicted share no step with the context, and so no noise.
        x = x + settings.jitter * Draws(x, step).normal(*x.shape[1:]).to(x)
    z, num_frames = encoder(x, lengths)
    seen = z
    if isinstance(settings, LogMelConfig) and settings.vocal_tract_perturbation:
        assert isinstance(encoder, StridedStack)
        assert sample_rate is not None
        factors = 1 + settings.vocal_tract_perturbation * (2 * Draws(x, step)() - 1)
        front = LogMel(sample_rate, num_mels=settings.num_mels, warp=factors).to(x)
        seen, _ = StridedStack([front, *encoder.layers[1:]])(x, lengths)
    return Views(seen, z, num_frames)


class Draws:
    """Random numbers for the rows of this process, drawn for the global batch.

    Args:
        x: (B, ...) the rows.
        step: Seed.
    """

    def __init__(self, x: Tensor, step: int) -> None:
        everyone, self.row = gather_rows(torch.zeros(len(x), 1, device=x.device))
        self.num_rows, self.num_all = len(x), len(everyone)
        self.generator = torch.Generator().manual_seed(step)

    def __call__(self, *shape: int) -> Tensor:
        """(B, ...) numbers in [0, 1)."""
        return self._own(torch.rand(self.num_all, *shape, generator=self.generator))

    def normal(self, *shape: int) -> Tensor:
        """(B, ...) standard normal numbers."""
        return self._own(torch.randn(self.num_all, *shape, generator=self.generator))

    def _own(self, drawn: Tensor) -> Tensor:
        return drawn[self.row : self.row + self.num_rows]


def changed_patches(patches: Tensor, settings: PatchConfig, uniform: Draws) -> Tensor:
    """Patches (B, T, C, P, P) from -1 to 1, each cropped, flipped and recolored alone."""
    T, C = patches.shape[1:3]
    if settings.patch_crop or settings.patch_flip:
        patches = _moved(patches, settings, uniform)
    if settings.patch_color:
        patches = _recolored(patches, settings.patch_color, uniform)
    if settings.patch_gray and C == 3:
        is_gray = uniform(T)[..., None, None, None].to(patches.device) < settings.patch_gray
        patches = torch.where(is_gray, _gray(patches), patches)
    return patches


def _moved(patches: Tensor, settings: PatchConfig, uniform: Draws) -> Tensor:
    """Each patch's crop at its full size again, between the pixels by their straight line."""
    (B, T, _, P, _), dtype = patches.shape, patches.dtype
    scale = 1 - settings.patch_crop / P
    shift = (1 - scale) * (2 * uniform(T, 2) - 1)
    side = torch.full((B, T), scale)
    if settings.patch_flip:
        side = torch.where(uniform(T) < 0.5, -side, side)
    theta = torch.zeros(B, T, 2, 3)
    theta[..., 0, 0], theta[..., 1, 1], theta[..., 2] = side, scale, shift
    theta = theta.flatten(0, 1).to(patches.device, dtype)
    flat = patches.flatten(0, 1)
    places = affine_grid(theta, list(flat.shape), align_corners=False)
    moved = grid_sample(flat, places, padding_mode="border", align_corners=False)
    return moved.unflatten(0, (B, T))


def _recolored(patches: Tensor, most: float, uniform: Draws) -> Tensor:
    T = patches.shape[1]
    drawn = (1 + most * (2 * uniform(T, 3) - 1)).to(patches)[..., None, None, None]
    brightness, contrast, saturation = drawn.unbind(2)
    bright = (patches + 1) * brightness - 1
    mean = bright.mean((-3, -2, -1), keepdim=True)
    contrasted = mean + contrast * (bright - mean)
    if patches.shape[2] != 3:
        return contrasted.clamp(-1, 1)
    gray = _gray(contrasted)
    return (gray + saturation * (contrasted - gray)).clamp(-1, 1)


def _gray(patches: Tensor) -> Tensor:
    weights = patches.new_tensor(GRAY)[:, None, None]
    return (patches * weights).sum(-3, keepdim=True).expand_as(patches)
