"""InfoNCE of a CPC: which frames each context must tell apart, and figures of how well it does.

What differs between directions is the order of the frames; each is contrasted alike, and losses
add.

Every process draws for the global batch, alike, and takes what concerns its rows.
Dims: B batch, T frames, A anchors, K predictions, D local and C context features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.information import (
    Contrast,
    Future,
    ahead,
    below,
    contrast,
    contrast_aligned,
    far_enough,
    gather_rows,
    own_and_others,
    sample_anchors,
    sample_other_frames,
)
from ensue.information.candidates import at
from ensue.models.cpc.config import CPCConfig
from ensue.models.cpc.directions import Branch, Grid, order_of
from ensue.models.cpc.views import Views

ANCHORS_A_BLOCK = 256


@dataclass(frozen=True)
class Objective:
    """The contrast that these settings ask for, of frames whose future lies ahead, or below.

    Attributes:
        config: The settings.
        branch: The networks that read them.
        generator: Draws anchors, then negatives.
        grid: Rows and columns of the frames, or None where they lie on a line.
    """

    config: CPCConfig
    branch: Branch
    generator: torch.Generator
    grid: Grid | None = None

    def predict(self, c: Tensor) -> Tensor:
        """Contexts (B, A, C) to predictions (B, A, K, D)."""
        return self.branch.predict(c, self.config.num_predictions)

    def future(self, anchors: Tensor, num_frames: int | Tensor, longest: int) -> Future:
        """What anchors (B, A) predict among frames (B, T)."""
        nearest, horizon = self.config.reach[0], self.config.reach[-1]
        if self.grid is not None:
            return below(anchors, self.grid, horizon=horizon, nearest=nearest)
        return ahead(anchors, num_frames, horizon=horizon, nearest=nearest, longest=longest)

    def contrast(
        self, z: Tensor, c: Tensor, num_frames: Tensor | None, item: Tensor | None
    ) -> Contrast:
        """The contrast of frames (B, T, D) and contexts (B, T, C).

        Args:
            z: Frames.
            c: Contexts.
            num_frames: (B,) valid frames, or None where all are.
            item: (B,) which item each row is of, or None where each is of its own.
        """
        everyone, row = gather_rows(z)
        full = torch.full((len(everyone),), z.shape[1], device=z.device)
        global_frames = full if num_frames is None else gather_rows(num_frames)[0]
        if self.config.candidates == "aligned":
            return self._aligned(c, everyone, global_frames, row)
        own = slice(row, row + len(z))
        anchors, predicted = self._predicted(z, c, global_frames, own)
        future = self.future(anchors, z.shape[1] if num_frames is None else num_frames, z.shape[1])
        others = count = None
        if M := self.config.num_negatives:
            drawn = sample_other_frames(global_frames, M, generator=self.generator)
            others = drawn.of(everyone)[own]
            if item is not None:
                items = gather_rows(item)[0]
                count = (items[drawn.row] != items[:, None])[own]
        if self.config.own_sequence:
            candidates, count = own_and_others(z, num_frames, others, count)
            if (gap := self.config.negative_gap) is not None:
                _require_room(gap, z.shape[1])
                far = far_enough(future.target, z.shape[1], candidates.shape[1], gap)
                count = far if count is None else far & count[:, None, None]
            return contrast(predicted, candidates, future.target, future.valid, count)
        assert others is not None
        return contrast(predicted, others, at(z, future.target), future.valid, count)

    def _aligned(self, c: Tensor, everyone: Tensor, global_frames: Tensor, row: int) -> Contrast:
        """Candidates of the whole batch at the same place."""
        (G, T, _), A = everyone.shape, self.config.num_anchors
        if A is None:
            anchors = torch.arange(T, device=c.device)
        else:
            anchors = self._sampled(global_frames.min()[None], A)[0]
        future = self.future(anchors.expand(G, -1), global_frames, T)
        return contrast_aligned(
            self.predict(c[:, anchors]), everyone, future.target[0], future.valid, row=row
        )

    def _predicted(
        self, z: Tensor, c: Tensor, global_frames: Tensor, own: slice
    ) -> tuple[Tensor, Tensor]:
        """Anchors (B, A), and what is predicted there (B, A, K, D)."""
        (B, T, _), A = z.shape, self.config.num_anchors
        if A is None:
            return torch.arange(T, device=z.device).expand(B, T), self.predict(c)
        anchors = self._sampled(global_frames, A)[own]
        rows = torch.arange(B, device=z.device)[:, None]
        return anchors, self.predict(c[rows, anchors])

    def _sampled(self, num_frames: Tensor, num_anchors: int) -> Tensor:
        """Anchors whose farthest future exists, on a grid as many rows below."""
        reach = self.config.reach[-1] * (1 if self.grid is None else self.grid[1])
        return sample_anchors(num_frames, num_anchors, reach, generator=self.generator)


def _require_room(gap: int, num_frames: int) -> None:
    if gap >= num_frames:
        raise ConfigError(
            f"negative_gap is {gap} frames, and a window has {num_frames}, so none of its own "
            "is left; give a smaller one, or longer windows"
        )


def contrasts(
    config: CPCConfig,
    branches: Sequence[Branch],
    views: Views,
    *,
    grid: Grid | None,
    item: Tensor | None,
    step: int,
) -> dict[str, Contrast]:
    """The contrast of each direction; ``step`` draws anchors and negatives."""
    z, num_frames = views.predicted, views.num_frames
    generator, told = torch.Generator().manual_seed(step), {}
    for branch in branches:
        order = order_of(branch.direction, num_frames, z.shape[1], grid)
        c = branch.contexts(order.turn(views.seen), order.grid)
        objective = Objective(config, branch, generator, order.grid)
        told[branch.direction] = objective.contrast(order.turn(z), c, num_frames, item)
    return told


def information_told(
    config: CPCConfig, branch: Branch, z: Tensor, num_frames: Tensor | None, grid: Grid | None
) -> Tensor:
    """(B, T, K) nats of information that contexts gave about their futures among frames (B, T, D).

    The candidates are all frames of the same item; NaN where there is no such future.
    """
    order = order_of(branch.direction, num_frames, z.shape[1], grid)
    told, _ = _told_within(config, branch, order.turn(z), num_frames, order.grid)
    return order.turn_back((told.chance - told.loss).masked_fill(~told.valid, torch.nan))


def information_among(
    config: CPCConfig, branch: Branch, z: Tensor, c: Tensor, negatives: Tensor
) -> Tensor:
    """(B, T, K) nats that contexts (B, T, C) gave about the futures among frames (B, T, D).

    The candidates are the true frame and the negatives (M, D); NaN where there is no such future.
    """
    objective = Objective(config, branch, torch.Generator())
    (B, T, _), blocks = z.shape, []
    for t in torch.arange(T, device=z.device).split(ANCHORS_A_BLOCK):
        future = objective.future(t.expand(B, -1), T, T)
        others = negatives.expand(B, -1, -1)
        blocks.append(
            contrast(objective.predict(c[:, t]), others, at(z, future.target), future.valid)
        )
    told = joined(blocks)
    return (told.chance - told.loss).masked_fill(~told.valid, torch.nan)


def surprise_by_patch(
    config: CPCConfig, branches: Sequence[Branch], z: Tensor, grid: Grid
) -> Tensor:
    r"""(B, Y, X) nats that each patch j cost those who predicted it, of frames (B, T, D).

    .. math::
        u_j = \frac{1}{n_j} \sum_{t,k: \, j(t,k) = j} \mathcal{L}_{tk}

    the mean of the InfoNCE losses (eq. 4, van den Oord et al. 2018) of its n_j predictions, over
    all directions and horizons: the losses of :func:`information_told`, by the patch that was
    predicted instead of the context that predicted it. NaN where nothing predicts a patch.
    """
    each = [_surprise_told(config, branch, z, grid) for branch in branches]
    nats, count = torch.stack(each).sum(0).unbind(-1)
    return (nats / count).unflatten(1, grid)


def _surprise_told(config: CPCConfig, branch: Branch, z: Tensor, grid: Grid) -> Tensor:
    """(B, T, 2) summed nats that each frame cost, and the number of its predictions."""
    order = order_of(branch.direction, None, z.shape[1], grid)
    told, target = _told_within(config, branch, order.turn(z), None, order.grid)
    met = torch.stack([told.loss, told.valid.to(told.loss)], dim=-1).flatten(1, 2)
    place = target.flatten(1)[..., None].expand_as(met)
    return order.turn_back(met.new_zeros(*z.shape[:2], 2).scatter_add(1, place, met))


def _told_within(
    config: CPCConfig, branch: Branch, z: Tensor, num_frames: Tensor | None, grid: Grid | None
) -> tuple[Contrast, Tensor]:
    """All contexts of turned frames (B, T, D) among the frames of the same item.

    With the places (B, T, K) of the futures that they told; some place where there is none.
    """
    c, objective = branch.contexts(z, grid), Objective(config, branch, torch.Generator(), grid)
    candidates, count = own_and_others(z, num_frames)
    (B, T, _), blocks, targets = z.shape, [], []
    for t in torch.arange(T, device=z.device).split(ANCHORS_A_BLOCK):
        future = objective.future(t.expand(B, -1), T if num_frames is None else num_frames, T)
        predicted = objective.predict(c[:, t])
        blocks.append(contrast(predicted, candidates, future.target, future.valid, count))
        targets.append(future.target)
    return joined(blocks), torch.cat(targets, dim=1)


def joined(contrasts: Sequence[Contrast]) -> Contrast:
    """Several as one, the anchors of one after those of another."""
    if len(contrasts) == 1:
        return contrasts[0]
    fields = ("loss", "correct", "valid", "chance")
    return Contrast(*(torch.cat([getattr(one, f) for one in contrasts], dim=1) for f in fields))


def metrics_of(contrasts: Mapping[str, Contrast]) -> dict[str, Tensor]:
    """Means over what is valid, for the log; of several directions, those of each, too."""
    whole = joined(list(contrasts.values()))
    metrics = {
        "chance_loss": (whole.chance * whole.valid).sum() / whole.valid.sum(),
        "accuracy": whole.correct.sum() / whole.valid.sum(),
        **_by_horizon(whole),
    }
    if len(contrasts) > 1:
        for name, one in contrasts.items():
            metrics |= {f"{name}_{figure}": mean for figure, mean in _by_horizon(one).items()}
    return metrics


def _by_horizon(contrast: Contrast) -> dict[str, Tensor]:
    valid = contrast.valid
    count = valid.sum((0, 1)).clamp_min(1)
    loss = contrast.loss.detach().sum((0, 1)) / count
    chance = (contrast.chance * valid).sum((0, 1)) / count
    correct = contrast.correct.sum((0, 1)) / count
    return {
        "loss_by_horizon": loss,
        "information_by_horizon": chance - loss,
        "accuracy_by_horizon": correct,
    }
