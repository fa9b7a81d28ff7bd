"""The attention decoder beside the usual one, which projects the picture in every step.

The sizes are those of inverse VQA on 36 regions; both have the same weights and give the same
scores. One thread, CPU time, in turn: ``python -m benchmarks.seq2seq``.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.measure import paired_ratios, save
from ensue.data.batches import Batch, Source
from ensue.models.tokens.seq2seq import Seq2Seq

B, T, K, F, D, V = 32, 12, 36, 2048, 512, 8000
PAIRS = 7


class Bilinear(nn.Module):
    """Low-rank bilinear pooling under its published names."""

    def __init__(self, left: int, right: int) -> None:
        super().__init__()
        self.Wleft, self.Wright, self.Uout = (
            nn.Linear(left, D),
            nn.Linear(right, D),
            nn.Linear(D, D),
        )

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.Uout(self.Wleft(left).tanh() * self.Wright(right).tanh()).tanh()


class Pair(nn.Module):
    """Two linear layers of what is added up."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__()
        self.Wih, self.Wah = nn.Linear(first, D), nn.Linear(second, D)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.TContext = Pair(D, D)
        self.MlbVT, self.MlbCZ = Bilinear(F, D), Bilinear(F, D)
        self.Toscore = nn.Linear(D, 1)


class Predictor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.Wih = nn.Linear(D, V)


class Usual(nn.Module):
    """The published network, a step at a time, on torch.nn.LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, D)
        self.Init_glimpse = Pair(D, D)
        self.rnn = nn.LSTM(D, D, batch_first=True)
        self.coAtt, self.predictor = Attention(), Predictor()

    def forward(self, features: Tensor, concept: Tensor, answer: Tensor, x: Tensor) -> Tensor:
        first, attention, found = self.Init_glimpse, self.coAtt, []
        h = (first.Wih(concept) + first.Wah(answer)).tanh()[None]
        state = (h, torch.zeros_like(h))
        for token in x.unbind(1):
            y, state = self.rnn(self.embedding(token)[:, None], state)
            z = (attention.TContext.Wih(y[:, 0]) + attention.TContext.Wah(answer)).relu()
            scores = attention.Toscore(attention.MlbVT(features, z[:, None]))
            glimpse = (scores.softmax(1) * features).sum(1)
            found.append(self.predictor.Wih(attention.MlbCZ(glimpse, z)))
        return torch.stack(found, dim=1)


def step() -> dict[str, Any]:
    """A training step of both, loss and gradients, in float32."""
    torch.manual_seed(0)
    usual = Usual()
    ours = Seq2Seq.from_ivqa(usual.state_dict()).train()
    features, concept, answer = torch.randn(B, K, F), torch.randn(B, D), torch.randn(B, D)
    x = torch.randint(1, V, (B, T + 1))  # 0 is padding
    batch = Batch(x=x, condition=Source(regions=features, answer=answer, concepts=concept))

    def theirs() -> float:
        usual.zero_grad()
        scores = usual(features, concept, answer, x[:, :-1])
        loss = cross_entropy(scores.flatten(0, 1), x[:, 1:].flatten())
        loss.backward()
        return float(loss.detach())

    def mine() -> float:
        ours.zero_grad()
        loss = ours.loss(batch, step=0).mean
        loss.backward()
        return float(loss.detach())

    with torch.no_grad():
        logits = usual(features, concept, answer, x[:, :-1])
        own = ours.logits(features, concept, answer, x[:, :-1])
        state, single = ours.decoder.init_state(B, batch.condition), []
        for token in x[:, :-1].split(1, dim=1):
            scores, state = ours.decoder.step(token, state)
            single.append(scores)
    return {
        **paired_ratios(theirs, mine, pairs=PAIRS),
        "largest_difference": float((logits - own).abs().max()),
        "largest_difference_stepwise": float((torch.cat(single, 1) - own).abs().max()),
        "losses": [theirs(), mine()],
    }


def main() -> None:
    torch.set_num_threads(1)
    save("seq2seq", {"step": step()})


if __name__ == "__main__":
    main()
