"""The sequence VAE beside the usual one on torch.nn: a training step, collating, and sampling.

The usual one takes a list of tensors and packs them, as the code of MOSES does; sizes are those of
that benchmark. One thread, CPU time, in turn: ``python -m benchmarks.sequence_vae``.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import (
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
)

from benchmarks.measure import paired_ratios, save
from ensue.data.batches import Batch
from ensue.data.items import Items
from ensue.data.kinds.text.codec import codec_of_tokens
from ensue.data.windows import Windows
from ensue.models.tokens.vae import SequenceVAE

B, V, MEAN, DEVIATION = 512, 34, 35, 5
E, Z, ENCODER, DECODER, LAYERS = 34, 128, 256, 512, 3
NUM, MOST = 10_000, 100
PAIRS = 7
SPECIAL = ("<bos>", "<eos>", "<pad>", "<unk>")
VOCABULARY = (*(chr(ord("A") + i) for i in range(V - len(SPECIAL))), *SPECIAL)
CODEC = codec_of_tokens(VOCABULARY)


class Usual(nn.Module):
    """The VAE of a list of tensors, on packed torch.nn.GRU layers."""

    def __init__(self) -> None:
        super().__init__()
        self.x_emb = nn.Embedding(V, E, padding_idx=CODEC.pad)
        self.encoder_rnn = nn.GRU(E, ENCODER, batch_first=True)
        self.q_mu, self.q_logvar = nn.Linear(ENCODER, Z), nn.Linear(ENCODER, Z)
        self.decoder_rnn = nn.GRU(E + Z, DECODER, LAYERS, batch_first=True)
        self.decoder_lat = nn.Linear(Z, DECODER)
        self.decoder_fc = nn.Linear(DECODER, V)

    def forward(self, x: Sequence[Tensor], noise: Tensor) -> tuple[Tensor, Tensor]:
        """Divergence of a sequence and nats of a token, in the mean; the longest come first."""
        _, h = self.encoder_rnn(pack_sequence([self.x_emb(one) for one in x]))
        mu, logvar = self.q_mu(h[-1]), self.q_logvar(h[-1])
        z = mu + (logvar / 2).exp() * noise
        kl = 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1).mean()
        lengths = [len(one) for one in x]
        padded = pad_sequence(list(x), batch_first=True, padding_value=CODEC.pad or 0)
        inputs = torch.cat([self.x_emb(padded), z[:, None].repeat(1, padded.shape[1], 1)], dim=-1)
        h_0 = self.decoder_lat(z)[None].repeat(LAYERS, 1, 1)
        packed = pack_padded_sequence(inputs, lengths, batch_first=True)
        out, _ = pad_packed_sequence(self.decoder_rnn(packed, h_0)[0], batch_first=True)
        y = self.decoder_fc(out)
        nats = cross_entropy(
            y[:, :-1].reshape(-1, V).to(z.dtype),
            padded[:, 1:].reshape(-1),
            ignore_index=CODEC.pad or 0,
        )
        return kl, nats

    @torch.inference_mode()
    def sample(self, num: int, generator: torch.Generator) -> tuple[list[Tensor], Tensor]:
        """The loop of a fixed number of steps; what comes after the end is thrown away.

        Returns the tokens, and the nats of each string given its z.
        """
        z = torch.randn(num, Z, generator=generator)
        h = self.decoder_lat(z)[None].repeat(LAYERS, 1, 1)
        token = torch.full((num,), CODEC.bos)
        ended, nats = torch.zeros(num, dtype=torch.bool), torch.zeros(num)
        tokens, lengths = [], torch.zeros(num, dtype=torch.long)
        for _ in range(MOST):
            inputs = torch.cat([self.x_emb(token), z], dim=-1)[:, None]
            y, h = self.decoder_rnn(inputs, h)
            log_p = self.decoder_fc(y[:, 0]).log_softmax(-1)
            token = torch.multinomial(log_p.exp(), 1, generator=generator)[:, 0]
            nats += log_p.gather(1, token[:, None])[:, 0].masked_fill(ended, 0)
            ended = ended | (token == CODEC.eos)
            lengths += ~ended
            tokens.append(token)
        rows = torch.stack(tokens, dim=1)
        return [row[:n] for row, n in zip(rows, lengths.tolist(), strict=True)], nats


def strings(num: int) -> list[str]:
    """Random strings with lengths from N(35, 5)."""
    lengths = torch.randn(num).mul(DEVIATION).add(MEAN).round().long().clamp(min=1)
    letters = np.array(VOCABULARY[: -len(SPECIAL)])
    return [
        "".join(np.random.default_rng(i).choice(letters, n)) for i, n in enumerate(lengths.tolist())
    ]


def step(precision: str) -> dict[str, Any]:
    """A training step of both: loss, gradients, AdamW."""
    usual = Usual()
    ours = SequenceVAE.from_moses(usual.state_dict(), VOCABULARY).train()
    rows = sorted((ours.string2tensor(s) for s in strings(B)), key=len, reverse=True)
    lengths = torch.tensor([len(row) for row in rows])
    batch = Batch(x=pad_sequence(rows, batch_first=True), lengths=lengths)
    noise = ours.bound.noise(batch.x, lengths, 0, 1)[0].float()
    optimizers = [torch.optim.AdamW(model.parameters(), lr=1e-4) for model in (usual, ours)]
    half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")

    def theirs() -> tuple[float, float]:
        with half:
            kl, nats = usual(rows, noise)
        (kl + nats * float((lengths - 1).sum()) / B).backward()
        _advance(optimizers[0])
        return float(kl), float(nats)

    def mine() -> tuple[float, float]:
        with half:
            loss = ours.loss(batch, step=0)
        loss.mean.backward()
        _advance(optimizers[1])
        return float(loss.metrics["kl"]), float(loss.metrics["reconstruction_per_token"])

    first = [theirs(), mine()]
    found: dict[str, Any] = paired_ratios(theirs, mine, pairs=PAIRS)
    last = [theirs(), mine()]
    return {
        **found,
        "first_difference": max(abs(a - b) for a, b in zip(*first, strict=True)),
        "last_losses": {"torch.nn": last[0], "ours": last[1]},
    }


def learning(num_steps: int = 30) -> dict[str, Any]:
    """Nats of a token after the same steps of ours in both precisions, and of the usual in bf16."""
    torch.manual_seed(0)
    usual = Usual()
    weights = {k: v.clone() for k, v in usual.state_dict().items()}
    rows = [CODEC.encode(s).long() for s in _words(B)]
    rows = sorted(rows, key=len, reverse=True)
    lengths = torch.tensor([len(row) for row in rows])
    batch = Batch(x=pad_sequence(rows, batch_first=True), lengths=lengths)
    found = {}
    for precision in ("float32", "bf16"):
        model = SequenceVAE.from_moses(weights, VOCABULARY).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        loss = None
        for number in range(num_steps):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
                loss = model.loss(batch, step=number)
            loss.mean.backward()
            _advance(optimizer)
        assert loss is not None
        found[precision] = float(loss.mean)
    return {"steps": num_steps, **found, "part": found["bf16"] / found["float32"] - 1}


def collating() -> dict[str, Any]:
    """512 strings to a batch: from the store, and string by string."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from ensue.data.store import open_store

    texts = strings(20 * B)
    items = Items(kind="smiles", ids=[str(i) for i in range(len(texts))], raw=texts, fingerprint="")
    with TemporaryDirectory() as folder:
        store = open_store(items, CODEC, Path(folder))
        windows = Windows(store=store, rows=np.arange(len(store)), size=MOST, whole=True)
        number = {token: i for i, token in enumerate(VOCABULARY)}
        order = np.random.default_rng(0).integers(0, len(texts), (50, B))
        at = iter(range(10**6))

        def by_string() -> Tensor:
            some = [texts[i] for i in order[next(at) % 50]]
            some.sort(key=len, reverse=True)
            rows = [
                torch.tensor([CODEC.bos, *(number[c] for c in s), CODEC.eos], dtype=torch.long)
                for s in some
            ]
            return pad_sequence(rows, batch_first=True, padding_value=CODEC.pad or 0)

        def by_store() -> Tensor:
            return windows.draw(next(at), B).x

        return paired_ratios(
            lambda: [by_string() for _ in range(10)],
            lambda: [by_store() for _ in range(10)],
            pairs=15,
        )


def sampling(weights: dict[str, Tensor] | None = None) -> dict[str, Any]:
    """10,000 strings: seconds in turn, lengths, and mean nats given z, which must agree."""
    usual = Usual().eval()
    if weights is not None:
        usual.load_state_dict(weights)
    ours = SequenceVAE.from_moses(usual.state_dict(), VOCABULARY).eval()
    seconds: dict[str, list[float]] = {"a loop of 100 steps": [], "ours": []}
    told: dict[str, Any] = {}
    for pair in range(3):
        begun = time.thread_time()
        rows, nats = [], []
        generator = torch.Generator().manual_seed(pair)
        for _ in range(0, NUM, B):
            some, of = usual.sample(min(B, NUM - len(rows)), generator)
            rows += some
            nats.append(of)
        seconds["a loop of 100 steps"].append(time.thread_time() - begun)
        told["a loop of 100 steps"] = _told([len(row) for row in rows], torch.cat(nats))
        begun = time.thread_time()
        with torch.inference_mode():
            drawn = ours.sample(NUM, generator=generator)
        seconds["ours"].append(time.thread_time() - begun)
        ended = drawn.values.gather(1, drawn.lengths[:, None] - 1)[:, 0] == CODEC.eos
        told["ours"] = _told((drawn.lengths - 1 - ended.long()).tolist(), drawn.log_prob)
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    return {"times_faster": sorted(ratios)[1], "seconds": seconds, "drawn": told}


def _told(lengths: Sequence[int], nats: Tensor) -> dict[str, float]:
    quantiles = np.quantile(lengths, [0.05, 0.5, 0.95])
    return {
        "mean_length": float(np.mean(lengths)),
        **{f"length_{q}": float(v) for q, v in zip((5, 50, 95), quantiles, strict=True)},
        "mean_nats": float(nats.double().mean()),
        "error_of_the_mean": float(nats.double().std() / len(nats) ** 0.5),
    }


def _words(num: int) -> list[str]:
    """Strings with something to learn: repeated pieces."""
    rng = np.random.default_rng(0)
    pieces = ["".join(rng.choice(list(VOCABULARY[:20]), 5)) for _ in range(12)]
    return ["".join(rng.choice(pieces, 7)) for _ in range(num)]


def _advance(optimizer: torch.optim.Optimizer) -> None:
    optimizer.step()
    optimizer.zero_grad()


def trained() -> dict[str, Tensor]:
    """Weights that end strings: a few minutes of training on strings of N(35, 5) letters."""
    torch.manual_seed(0)
    model = SequenceVAE.from_moses(Usual().state_dict(), VOCABULARY).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    texts = strings(8 * B)
    for number in range(60):
        some = texts[(number % 64) * 64 :][:64]
        rows = [model.string2tensor(s) for s in some]
        batch = Batch(
            x=pad_sequence(rows, batch_first=True), lengths=torch.tensor([len(r) for r in rows])
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model.loss(batch, step=number)
        loss.mean.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        _advance(optimizer)
    names = {
        "decoder.embedding.": "x_emb.",
        "encoder.layers.": "encoder_rnn.",
        "encoder.mu.": "q_mu.",
        "encoder.log_var.": "q_logvar.",
        "decoder.layers.": "decoder_rnn.",
        "decoder.first.": "decoder_lat.",
        "decoder.scores.": "decoder_fc.",
    }
    found = {}
    for key, value in model.state_dict().items():
        own = next(name for name in names if key.startswith(name))
        found[names[own] + key.removeprefix(own)] = value
    return found


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"batch": B, "vocabulary": V, "latent": Z, "encoder": ENCODER}
    figures = {
        "sizes": {
            **sizes,
            "decoder": f"{LAYERS} x {DECODER}",
            "lengths": f"N({MEAN}, {DEVIATION})",
        },
        "step": {precision: step(precision) for precision in ("float32", "bf16")},
        "learning": learning(),
        "collating": collating(),
        "sampling": sampling(trained()),
    }
    float32 = figures["step"]["float32"]["reference_seconds"]
    figures["step"]["bf16"]["of_the_reference_in_float32"] = (
        float32 / figures["step"]["bf16"]["seconds"]
    )
    save("sequence_vae", figures)


if __name__ == "__main__":
    main()
