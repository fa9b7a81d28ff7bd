"""InfoNCE by products of matrices, beside gathering a (B, N, T, C) tensor of negatives.

Both start from the same features, predictor and sampled negatives, and give the same loss and
gradients: ``python -m benchmarks.info_nce``.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.measure import paired_ratios, peak_megabytes, save
from ensue.information import ahead, contrast, info_nce, sample_other_frames
from ensue.information.candidates import at

B, T, C, K, N = 8, 128, 256, 12, 128


def by_sum(predicted: Tensor, candidates: Tensor) -> Tensor:
    """The usual way: multiply and add up."""
    return (predicted.unsqueeze(1) * candidates).sum(-1)


def by_einsum(predicted: Tensor, candidates: Tensor) -> Tensor:
    """A better way: no tensor of the products."""
    return torch.einsum("btc,bntc->bnt", predicted, candidates)


def gathered(
    z: Tensor,
    c: Tensor,
    weight: Tensor,
    index: Tensor,
    score: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Gather the negatives of every time as (B, N, T, C), then score each step ahead."""
    flat = z.reshape(-1, C)
    negatives = flat[index.reshape(-1)].view(B, N, T, C)
    losses = []
    for k in range(1, K + 1):
        predicted = c[:, : T - k] @ weight[k - 1].T
        positive = z[:, k:].unsqueeze(1)
        candidates = torch.cat([positive, negatives[:, :, : T - k]], dim=1)
        scores = score(predicted, candidates)
        losses.append(info_nce(scores.transpose(1, 2)).sum())
    return torch.stack(losses).sum() / (B * sum(T - k for k in range(1, K + 1)))


def products(z: Tensor, c: Tensor, weight: Tensor, others: Tensor) -> Tensor:
    """The project's way, with the same negatives."""
    predicted = (c @ weight.flatten(0, 1).T).view(B, T, K, C)
    future = ahead(torch.arange(T).expand(B, T), T, horizon=K)
    told = contrast(predicted, z.flatten(0, 1)[others], at(z, future.target), future.valid)
    return told.loss.sum() / told.valid.sum()


def forward_backward(loss: functools.partial, inputs: list[Tensor]) -> list[Tensor]:
    value = loss(*inputs)
    return [value.detach(), *torch.autograd.grad(value, inputs)]


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    inputs = [torch.randn(B, T, C), torch.randn(B, T, C), torch.randn(K, C, C) / C]
    inputs = [x.requires_grad_() for x in inputs]
    drawn = sample_other_frames(torch.full((B,), T), N, generator=torch.Generator().manual_seed(0))
    others = drawn.row * T + drawn.frame
    index = others[:, :, None].expand(B, N, T)
    fast = functools.partial(forward_backward, functools.partial(products, others=others), inputs)
    references = {
        score.__name__: functools.partial(
            forward_backward, functools.partial(gathered, index=index, score=score), inputs
        )
        for score in (by_sum, by_einsum)
    }
    # Memory first: what a process has freed it can use again without asking for more.
    memory = {name: peak_megabytes(work) for name, work in [("ours", fast), *references.items()]}
    figures = {}
    for name, slow in references.items():
        differences = [float((a - b).abs().max()) for a, b in zip(slow(), fast(), strict=True)]
        figures[name] = {
            "largest_difference_of_losses": differences[0],
            "largest_difference_of_gradients": max(differences[1:]),
            "time": paired_ratios(slow, fast),
            "memory_ratio": memory[name] / memory["ours"],
        }
    sizes = {"B": B, "T": T, "C": C, "K": K, "negatives": N}
    save("info_nce", {"sizes": sizes, "seed": 0, "megabytes": memory, "against": figures})


if __name__ == "__main__":
    main()
