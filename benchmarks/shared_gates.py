"""What it costs to use one matrix for all gates: ``python -m benchmarks.shared_gates FOLDER``.

The same recurrent language model of bytes three times: every gate has its own weights; all gates
share one matrix for inputs and one for states, but each has its own bias; all share one linear
layer, bias and all. The same data, steps and seed.
"""

import gzip
import math
import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from benchmarks.labelled import folder_of
from benchmarks.measure import save
from benchmarks.text import split
from ensue.data.batches import Batch
from ensue.models.tokens.charrnn import CharRNN, CharRNNConfig

STEPS, B, T, HIDDEN, RATE = 3000, 16, 64, 256, 2e-3
MATRICES = ("weight_ih_l0", "weight_hh_l0")
SHARED = {"nothing": (), "matrices": MATRICES, "all": (*MATRICES, "bias_ih_l0", "bias_hh_l0")}


class Shared(nn.Module):
    """The first gate's rows for all gates."""

    def __init__(self, num_gates: int) -> None:
        super().__init__()
        self.num_gates = num_gates

    def forward(self, weight: Tensor) -> Tensor:
        first = weight[: len(weight) // self.num_gates]
        return torch.cat([first] * self.num_gates)


def nats_a_byte(parts: dict[str, Tensor], cell: str, shared: str, seed: int) -> float:
    """Of the test text, after training."""
    torch.manual_seed(seed)
    model = CharRNN(
        CharRNNConfig(num_tokens=258, bos=256, eos=257, cell=cell, hidden_size=HIDDEN)  # type: ignore[arg-type]
    )
    for name in SHARED[shared]:
        gates = {"lstm": 4, "gru": 3}[cell]
        parametrize.register_parametrization(model.decoder.layers, name, Shared(gates))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for step in range(STEPS):
        starts = torch.randint(len(parts["train"]) - T, (B,))
        x = torch.stack([parts["train"][s : s + T + 1] for s in starts.tolist()])
        loss = model.loss(Batch(x=x), step=step).mean
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        score = model.eval().score(parts["test"][None])
    return round(float(-score.total) / (len(parts["test"]) - 1), 4)


def main(source: str = "") -> None:
    torch.set_num_threads(1)
    folder = folder_of(source, "ENSUE_TEXT", "tinyshakespeare.txt.gz")
    with gzip.open(folder / "tinyshakespeare.txt.gz") as file:
        parts = {n: torch.tensor(list(b)) for n, b in split(file.read()).items()}
    runs: list[dict[str, Any]] = []
    for cell in ("lstm", "gru"):
        for shared in SHARED:
            nats = nats_a_byte(parts, cell, shared, seed=0)
            runs.append({"cell": cell, "shared": shared, "seed": 0, "nats_a_byte": nats})
            print(runs[-1], f"{nats / math.log(2):.3f} bits", flush=True)
    save("shared_gates", {"steps": STEPS, "hidden": HIDDEN, "runs": runs})


if __name__ == "__main__":
    main(*sys.argv[1:])
