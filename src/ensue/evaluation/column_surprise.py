"""Surprise by column: the nats that a row's value costs, compared with other training values."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from ensue.data.store import Store
from ensue.models.traits import DensityModel

ROWS_A_PASS = 2**16


def column_surprise(
    model: DensityModel,
    store: Store,
    examples: Sequence[np.ndarray],
    *,
    condition: torch.Tensor | None = None,
) -> np.ndarray:
    r"""Return the cost of each value of each row, in nats.

    .. math:: u_j(x) = \mathbb{E}_{x'_j}[\log p(x'_j, x_{-j})] - \log p(x)

    over training values x'_j of column j. It is above 0 where another value would be likelier.

    Args:
        model: Scores rows.
        store: Rows (N, D), as the codec encodes them.
        examples: For each column its training values (M,), encoded too.
        condition: (N,) the class of each row, for models that have classes.

    Returns:
        (N, D) nats.

    Cost: D M rows are scored for each row.
    """
    device = next(model.parameters()).device
    values = [torch.from_numpy(x).float().to(device) for x in examples]
    D, M = len(values), len(values[0])
    surprises = np.empty((len(store), D))
    model.eval()
    for start in range(0, len(store), max(ROWS_A_PASS // M, 1)):
        rows = np.arange(start, min(start + max(ROWS_A_PASS // M, 1), len(store)))
        x = torch.from_numpy(np.stack([store.read(int(i), 0, 1)[0] for i in rows])).to(device)
        classes = None if condition is None else condition[rows].to(device)
        with torch.inference_mode():
            log_probs = model.log_prob(x, **_given(classes))
            for j, others in enumerate(values):
                changed = x[:, None].repeat(1, M, 1)
                changed[:, :, j] = others
                repeated = None if classes is None else classes.repeat_interleave(M)
                nats = model.log_prob(changed.flatten(0, 1), **_given(repeated))
                mean = nats.unflatten(0, (-1, M)).double().mean(1)
                surprises[rows, j] = (mean - log_probs).cpu().numpy()
    return surprises


def _given(condition: torch.Tensor | None) -> Mapping[str, torch.Tensor]:
    return {} if condition is None else {"condition": condition}
