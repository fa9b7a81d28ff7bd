"""Generation beside loops that don't make room: 10,000 strings, and beam search one by one.

The strings' lengths are drawn from N(35, 5) beforehand, so that all ways write equal lengths:
``python -m benchmarks.generation``.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import save
from ensue.generation import BeamSearch, Drawing, GenerationConfig, Prompts, collect
from ensue.models.tokens.charrnn_decoder import TokenDecoder
from ensue.nn import GRU

NUM, BATCH, V, H, LAYERS, MOST = 10_000, 512, 34, 512, 3, 100
BOS = V - 1


def all_steps(decoder: TokenDecoder, lengths: Tensor) -> Tensor:
    """The usual loop on torch.nn.GRU: batch after batch, every row to the largest length.

    What is longer than wanted is thrown away.
    """
    layers = nn.GRU(H, H, LAYERS, batch_first=True)
    layers.load_state_dict(decoder.layers.state_dict())
    layers.to(decoder.scores.weight.dtype)
    found = []
    for start in range(0, NUM, BATCH):
        rows = min(BATCH, NUM - start)
        token, state = torch.full((rows, 1), BOS), None
        tokens = []
        for _ in range(MOST):
            y, state = layers(decoder.embedding(token), state)
            probability = decoder.scores(y[:, -1]).float().softmax(-1)
            token = torch.multinomial(probability, 1)
            tokens.append(token)
        found.append(torch.cat(tokens, dim=1))
    drawn = torch.cat(found)
    return torch.tensor([len(row[:n]) for row, n in zip(drawn, lengths.tolist(), strict=True)])


def with_room(decoder: TokenDecoder, lengths: Tensor) -> Tensor:
    """The project's way."""
    drawing = Drawing(
        Prompts(decoder, [torch.tensor([BOS])] * NUM, num_tokens=V, limits=lengths),
        GenerationConfig(num_rows=BATCH),
        generator=torch.Generator().manual_seed(0),
    )
    return collect(drawing).length


def strings(pairs: int = 3) -> dict[str, Any]:
    """CPU seconds in turn, in single and in half precision of ours."""
    lengths = torch.randn(NUM).mul(5).add(35).round().long().clamp(1, MOST)
    decoder = TokenDecoder(V, H, GRU(H, H, LAYERS), 0.0).eval()
    half = TokenDecoder(V, H, GRU(H, H, LAYERS), 0.0).eval()
    half.load_state_dict(decoder.state_dict())
    half.bfloat16()
    ways: dict[str, Callable[[], Tensor]] = {
        "all steps, torch.nn.GRU": lambda: all_steps(decoder, lengths),
        "ours": lambda: with_room(decoder, lengths),
        "ours, bfloat16": lambda: with_room(half, lengths),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    histograms = {}
    for _ in range(pairs):
        for name, way in ways.items():
            with torch.inference_mode():
                spent, found = timed(way)
            seconds[name].append(spent)
            histograms[name] = Counter(found.tolist())
    reference = "all steps, torch.nn.GRU"
    return {
        "seconds": {name: median(values) for name, values in seconds.items()},
        "times_faster": {
            name: median([a / b for a, b in zip(seconds[reference], values, strict=True)])
            for name, values in seconds.items()
        },
        "equal_histograms": all(h == histograms[reference] for h in histograms.values()),
    }


def beams(num_prompts: int = 64, pairs: int = 3) -> dict[str, Any]:
    """Five beams for 64 prompts together and one by one: CPU seconds and equal results."""
    decoder = TokenDecoder(V, H, GRU(H, H, LAYERS), 0.0).eval()
    nn.init.normal_(decoder.scores.weight, std=0.5)  # a distribution that isn't flat
    prompts = [torch.tensor([BOS, int(t)]) for t in torch.randint(1, V - 1, (num_prompts,))]
    config = GenerationConfig(method="beam", num_beams=5, max_length=40)

    def search(some: list[Tensor]) -> list[list[Any]]:
        return BeamSearch(Prompts(decoder, some, num_tokens=V, eos=0), config).run()

    ratios, together, alone = [], [], []
    for _ in range(pairs):
        with torch.inference_mode():
            fast, together = timed(lambda: search(prompts))
            slow, alone = timed(lambda: [search([p])[0] for p in prompts])
        ratios.append(slow / fast)
    equal = sum(a[0].tokens == b[0].tokens for a, b in zip(together, alone, strict=True))
    return {"times_faster": median(ratios), "equal_best": equal, "of": num_prompts}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.thread_time()
    found = work()
    return time.thread_time() - begun, found


def median(values: list[float]) -> float:
    return round(sorted(values)[len(values) // 2], 3)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    figures = {
        "strings": {"num": NUM, "batch": BATCH, "hidden": H, "layers": LAYERS, **strings()},
        "beams": beams(),
    }
    save("generation", figures)


if __name__ == "__main__":
    main()
