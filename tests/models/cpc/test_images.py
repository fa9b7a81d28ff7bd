"""CPC of images: patches, what changes them in training, and how their frames are pooled."""

from typing import Any

import numpy as np
import pytest
import torch

from ensue.configuration import validate
from ensue.errors import ConfigError, DataError
from ensue.models.cpc import CPC, CPCConfig
from ensue.models.cpc.encoder_config import ConvPatchConfig
from ensue.models.cpc.views import Draws, changed_patches
from ensue.nn.patches import PatchConvs, PatchFrames


def frames(size: int = 6, stride: int = 4, norm: Any = "channel") -> PatchFrames:
    network = PatchConvs(3, 5, width=4, norm=norm)
    return PatchFrames(network, size=size, stride=stride, num_features=5, num_levels=256)


def pictures(num: int, height: int = 18, width: int = 22) -> torch.Tensor:
    return torch.randint(0, 256, (num, 3, height, width), dtype=torch.uint8)


@pytest.mark.parametrize(("size", "stride"), [(6, 4), (5, 5), (18, 1), (7, 3)])
def test_patches_are_slices_of_the_picture(size: int, stride: int, seed: int) -> None:
    x, cut = pictures(2), frames(size, stride)
    Y, X = cut.grid((18, 22))
    patches = cut.patches(x).unflatten(1, (Y, X))
    assert len(range(0, 18 - size + 1, stride)) == Y
    assert len(range(0, 22 - size + 1, stride)) == X
    for y in range(Y):
        for column in range(X):
            top, left = y * stride, column * stride
            expected = x[:, :, top : top + size, left : left + size] / 127.5 - 1
            torch.testing.assert_close(patches[:, y, column], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", ["channel", "none"])
def test_frame_sees_its_patch_alone(norm: str, seed: int) -> None:
    x, cut = pictures(2), frames(norm=norm).eval()
    z = cut(x)[0].unflatten(1, (4, 5))
    alone = cut(x[1:, :, 4:10, 8:14])[0][0, 0]
    torch.testing.assert_close(z[1, 1, 2], alone, rtol=1e-5, atol=1e-6)


def test_patches_that_nothing_changes_stay_as_they_are(seed: int) -> None:
    patches = frames().patches(pictures(2))
    assert torch.equal(changed_patches(patches, ConvPatchConfig(), Draws(patches, 0)), patches)


def test_flipped_patches_are_mirrored_or_not(seed: int) -> None:
    patches = frames().patches(pictures(4))
    changed = changed_patches(patches, ConvPatchConfig(patch_flip=True), Draws(patches, 1))
    same = (changed - patches).abs().amax((2, 3, 4)) < 1e-5
    mirrored = (changed - patches.flip(-1)).abs().amax((2, 3, 4)) < 1e-5
    assert (same ^ mirrored).all()
    assert 20 < int(mirrored.sum()) < 60, "of 80, half"


def test_cropped_patch_is_a_part_of_it_at_full_size(seed: int) -> None:
    """A ramp stays a ramp, whose slope is that of the crop."""
    ramp = torch.linspace(-1, 1, 8).expand(1, 9, 1, 8, 8)
    changed = changed_patches(ramp, ConvPatchConfig(patch_crop=2), Draws(ramp, 3))
    slope = changed[..., 1:-1].diff(dim=-1) / (2 / 7)
    torch.testing.assert_close(slope, torch.full_like(slope, 0.75), rtol=0, atol=1e-5)
    starts = changed[0, :, 0, 0, 1]
    assert starts.unique().numel() == 9, "each patch has a crop of its own"


def test_gray_patches_have_equal_channels(seed: int) -> None:
    patches = frames().patches(pictures(4))
    changed = changed_patches(patches, ConvPatchConfig(patch_gray=0.5), Draws(patches, 1))
    gray = (changed.amax(2) == changed.amin(2)).all(-1).all(-1)
    assert 20 < int(gray.sum()) < 60
    assert torch.equal(changed[~gray], patches[~gray])


def test_colors_change_patch_by_patch_and_stay_in_range(seed: int) -> None:
    patches = frames().patches(pictures(2))
    settings = ConvPatchConfig(patch_color=0.4)
    one, again, other = (changed_patches(patches, settings, Draws(patches, s)) for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert ((one - other).abs().amax((2, 3, 4)) > 0).all()
    assert one.abs().max() <= 1


def cpc(**settings: Any) -> CPC:
    small = {"channels": 8, "context_size": 6, "patch": 6, "stride": 4, "patch_width": 4}
    return CPC(CPCConfig(shape=(3, 18, 22), num_tokens=257, **{**small, **settings})).eval()


def test_embedding_is_the_mean_of_frames_or_of_cells(seed: int) -> None:
    model, x = cpc(directions=("down", "left")), pictures(2)
    f = model.encode(x)
    assert f.grid == (4, 5)
    both = torch.cat([f.local, f.context], -1)
    torch.testing.assert_close(f.embedding, both.mean(1))
    cells = model.repooled(pooling="cells", embedding="local").encode(x).embedding
    z = f.local.unflatten(1, (4, 5))
    ends = [(0, 2), (1, 3), (2, 4)], [(0, 2), (1, 4), (3, 5)]
    expected = [z[:, a:b, c:d].mean((1, 2)) for a, b in ends[0] for c, d in ends[1]]
    torch.testing.assert_close(cells, torch.cat(expected, -1))
    assert torch.equal(model.encode(x).embedding, f.embedding), "the model itself stays as it was"


MOVES = {"down": (1, 0), "up": (-1, 0), "right": (0, 1), "left": (0, -1)}


@pytest.mark.parametrize(
    ("directions", "nearest"), [(("down",), 2), (("up", "right"), 1), (("left", "down", "up"), 1)]
)
def test_surprise_of_a_patch_is_the_mean_loss_of_those_who_predict_it(
    directions: tuple, nearest: int, seed: int
) -> None:
    """By a plain loop over patches, in float64."""
    model = cpc(directions=directions, horizon=3, nearest=nearest, norm="none").double()
    x, (Y, X) = pictures(2), (4, 5)
    f = model.encode(x)
    z, every = f.local.unflatten(1, (Y, X)), f.context.chunk(len(directions), dim=-1)
    losses: dict[tuple[int, int, int], list[torch.Tensor]] = {}
    for branch, context in zip(model.branches, every, strict=True):
        down, right = MOVES[branch.direction]
        for b, y, column in np.ndindex(2, Y, X):
            c = context.unflatten(1, (Y, X))[b, y, column]
            for k, prediction in enumerate(branch.predictor(c).view(-1, 8), nearest):
                place = y + k * down, column + k * right
                if 0 <= place[0] < Y and 0 <= place[1] < X:
                    scores = (z[b] @ prediction).flatten()
                    loss = scores.logsumexp(0) - z[b][place] @ prediction
                    losses.setdefault((b, *place), []).append(loss)
    surprise = model.patch_surprise(x)
    assert surprise.shape == (2, Y, X)
    for place in np.ndindex(2, Y, X):
        if place in losses:
            expected = torch.stack(losses[place]).mean()
            torch.testing.assert_close(surprise[place], expected, rtol=1e-10, atol=1e-10)
        else:
            assert surprise[place].isnan()
    assert len(losses) < 2 * Y * X or len(directions) > 1, "a first row is predicted by nothing"


def test_surprise_by_patch_is_information_by_another_name(seed: int) -> None:
    """Over all predictions, what contexts told and what patches cost add up to chance."""
    model, x = cpc(directions=("down",), horizon=1), pictures(1)
    terms = model.score(x).terms
    assert terms is not None
    surprise = model.patch_surprise(x)
    assert surprise[:, 0].isnan().all()
    assert int(surprise.isfinite().sum()) == int(terms.isfinite().sum()) == 3 * 5
    torch.testing.assert_close(surprise.nanmean() + terms.nanmean(), torch.tensor(20.0).log())


def test_sound_has_no_patches() -> None:
    model = CPC(CPCConfig(sample_rate=16000, channels=8, context_size=6))
    with pytest.raises(ConfigError, match="only images have patches; score gives"):
        model.patch_surprise(torch.zeros(1, 3200))


def test_images_of_another_size_have_another_grid(seed: int) -> None:
    model = cpc()
    assert model.encode(pictures(1, 26, 18)).grid == (6, 4)
    with pytest.raises(DataError, match="5 x 22 pixels is smaller than a patch of 6; use --patch"):
        model.encode(pictures(1, 5, 22))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"encoder": "log_mel"}, "patch is for the encoder patches or patch_resnet, not 'log_mel'"),
        ({"patch_crop": 6}, "patch_crop is 6; it must be below patch, 6"),
        ({"encoder": "patch_resnet", "depth": 20}, "depth is 20"),
        ({"encoder": "patches", "cmn_frames": 4}, "cmn_frames is for the encoder log_mel"),
        ({"pooling": "dynamics"}, "which is of time; use mean or cells"),
    ],
)
def test_settings_that_do_not_fit_images_are_refused(settings: dict, words: str) -> None:
    base = {"shape": (3, 18, 22), "num_tokens": 257, "patch": 6, "channels": 8}
    with pytest.raises(ConfigError, match=words):
        CPC(validate(CPCConfig, {**base, **settings}, section="model"))


def test_settings_choose_the_encoder_that_has_them() -> None:
    assert CPCConfig(patch=9).encoder == ConvPatchConfig(patch=9)
    assert CPCConfig(depth=34).encoder.name == "patch_resnet"
    with pytest.raises(ConfigError, match="are of different"):
        CPCConfig(num_mels=9, patch=9)


@pytest.mark.parametrize(("side", "patch", "grid"), [(32, 8, 7), (28, 7, 8), (256, 64, 7)])
def test_patch_is_a_quarter_of_the_image_unless_it_is_set(side: int, patch: int, grid: int) -> None:
    config = CPCConfig(shape=(1, side, side), num_tokens=257, channels=4, context_size=4)
    model = CPC(config)
    assert model.encoder.size == patch
    assert model.encoder.grid((side, side)) == (grid, grid)
    assert model.config.encoder.patch == patch


def test_paper_form_builds_with_1024_features(seed: int) -> None:
    """Patches of 64 pixels from 256 with half overlap give 7 x 7 frames."""
    sizes = {"encoder": "patch_resnet", "patch": 64, "depth": 18, "resnet_width": 4}
    config = CPCConfig(shape=(3, 256, 256), num_tokens=257, channels=16, context_size=8, **sizes)
    model = CPC(config)
    f = model.encode(torch.from_numpy(np.zeros((1, 3, 256, 256), np.uint8)))
    assert f.grid == (7, 7)
    assert model.config.horizon == 5
