"""The attention decoder: which text fits a source, such as the question that fits a picture and an
answer (Liu et al. 2018, inverse visual question answering).

What a step computes is in ``source_decoder``, what it sees of true tokens in ``forcing``.
Dims: B sequences, T tokens, N tokens of all sequences, K regions, V vocabulary.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ensue.configuration import validate
from ensue.data.batches import Batch, Source
from ensue.errors import ConfigError
from ensue.generation import GenerationConfig, Prompts
from ensue.models.foreign import load_renamed, read_state_dict, rename_ivqa
from ensue.models.protocols import Loss, Samples, Score
from ensue.models.saved import SavedModel
from ensue.models.tokens import drawing, sequences
from ensue.models.tokens.forcing import forcing_probability, in_single, partly_own
from ensue.models.tokens.seq2seq_config import Seq2SeqConfig
from ensue.models.tokens.source_decoder import build_decoder
from ensue.models.tokens.sources import RegionEncoder, source_of
from ensue.nn.attention import (
    region_mask,
)

NUM_STANDARDIZED = 256


class Seq2Seq(
    nn.Module,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["seq2seq", "attention", "visual-question-generation"],
):
    r"""A text given a source, word by word, with attention over the regions of the source.

    .. math:: \log p(x \mid v, a, c) = \sum_t \log \mathrm{softmax}(W_o g_t + b_o)_{x_t}

    with the glimpse g_t of :class:`ensue.models.tokens.source_decoder.SourceDecoder`. Scores go
    into the cross-entropy as they are: a softmax before it, as in the published code, has a floor
    far above 0.

    Args:
        config: The settings; the codec of the data gives what they are made of.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> config = Seq2SeqConfig(num_tokens=6, bos=4, eos=5, source_size=3)
        >>> model = Seq2Seq(config).eval()
        >>> source = Source(regions=torch.zeros(2, 7, 3))
        >>> x = torch.tensor([[4, 0, 1, 5], [4, 2, 5, 5]])
        >>> score = model.score(x, torch.tensor([4, 3]), condition=source)
        >>> score.kind, score.terms.shape
        ('exact', torch.Size([2, 3]))
        >>> model.sample(2, condition=source).attention.shape[2]
        7
    """

    # A text is taken whole, never cut; the shortest to learn from is bos and another token.
    whole_items, shortest = True, 2
    num_standardized = NUM_STANDARDIZED

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = c = config = validate(Seq2SeqConfig, config, section="model")
        V, bos, F = c.num_tokens, c.bos, c.source_size
        if V is None or bos is None or F is None or max(bos, c.eos or 0, c.pad or 0) >= V:
            raise ConfigError(
                f"num_tokens is {V}, bos {bos}, eos {c.eos}, pad {c.pad} and source_size {F}; the "
                "codec of the data gives them, and tokens are below num_tokens"
            )
        self.num_tokens, self.bos, self.eos = V, bos, c.eos
        self.regions, size = nn.Identity(), F
        if c.region_size is not None:
            size = c.region_size
            self.regions = RegionEncoder(F, size, c.region_components)
        self.decoder = build_decoder(config, V, size)

    @classmethod
    def from_ivqa(
        cls,
        weights: Mapping[str, Tensor] | str | Path,
        bos: int = 0,
        eos: int | None = None,
        pad: int | None = 0,
        *,
        max_length: int = 15,
        **settings: Any,
    ) -> "Seq2Seq":
        """The network of inverse VQA (Liu et al. 2018) with its weights, before its softmax.

        Answer and concept may be words of the questions' vocabulary, which are embedded as the
        questions' words are, or vectors. The model is of the weights' precision.

        Args:
            weights: With the keys ``embedding``, ``Init_glimpse``, ``rnn``, ``coAtt`` and
                ``predictor``; or a file of it.
            bos: The token that a question begins with, unless ``sample`` is given another.
            eos: The token that ends a question; None: only ``max_length`` does.
            pad: The token after the end of a question; None: there is none.
            max_length: New words of a question at most.
            settings: Of :class:`ensue.models.tokens.seq2seq_config.Seq2SeqConfig`, to train it
                further: ``teacher_forcing``, ``forcing_coin``, ``dropout``, ...; sizes are the
                weights'.

        Raises:
            ConfigError: Keys are missing or unknown, sizes don't fit, there is no such token, or a
                setting is wrong.
            CheckpointError: The file is missing or damaged, or holds more than tensors.
        """
        if isinstance(weights, str | Path):
            weights = read_state_dict(Path(weights))
        sizes, renamed = rename_ivqa(weights)
        if taken := settings.keys() & {*sizes, "generation"}:
            raise ConfigError(
                f"{', '.join(sorted(taken))} are the weights' own; leave them out, and set how "
                "long questions get by max_length"
            )
        special = {"bos": bos, "eos": eos, "pad": pad}
        writing = GenerationConfig(max_length=max_length)
        config = {**settings, **special, **sizes, "generation": writing}
        model = cls(validate(Seq2SeqConfig, config, section="model"))
        return load_renamed(model, renamed, "inverse VQA")

    def untrained_variants(self) -> dict[str, Seq2SeqConfig]:
        """Settings to compare a trained model with: itself, untrained."""
        return {"seq2seq": self.config}

    @property
    def shortest_item(self) -> int:
        """Tokens of the shortest text that says something, bos and, where there is one, eos."""
        return 2 if self.eos is None else 3

    def standardize(self, batch: Batch) -> None:
        """Take the principal components of regions, where these get layers of their own."""
        if isinstance(self.regions, RegionEncoder):
            source = batch.condition
            mask = region_mask(source.num_regions, source.regions.shape[1])
            there = source.regions.flatten(0, 1) if mask is None else source.regions[mask]
            self.regions.standardize(there)

    @property
    def settled_at(self) -> int:
        """The step from which true tokens are seen as often as ``teacher_forcing`` says."""
        return 0 if self.config.forcing_schedule == "constant" else self.config.forcing_steps

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Nats of all tokens after the first given their sources, summed; padding isn't counted.

        Args:
            batch: ``x`` (B, T) tokens, bos first; ``condition`` their sources.
            step: Of training; sets how often a step sees the true token.
        """
        x, lengths = batch.x.long(), self._lengths(batch.x, batch.lengths)
        state = self._begun(batch.condition, len(x))
        forcing = self._forcing(step) if self.training else 1.0
        inputs = x[:, :-1]
        if forcing < 1:
            coin = self.config.forcing_coin
            inputs = partly_own(
                self.decoder, x, lengths, state, forcing=forcing, coin=coin, step=step
            )
        glimpse, _, _ = self.decoder.attend(inputs, state)
        valid = _follows(x, lengths)
        scores, wanted = in_single(self.decoder.scores_of(glimpse[valid])), x[:, 1:][valid]
        smooth = self.config.label_smoothing if self.training else 0.0
        return _loss_of(scores, wanted, smooth, forcing)

    def score(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Source | None = None
    ) -> Score:
        """The log-probability of each text given its source, token by token.

        Args:
            x: (B, T) tokens, bos first, padded at the end.
            lengths: (B,) valid tokens; None: all, or those before the padding of a model with one.
            condition: Their sources.

        Returns:
            ``total`` (B,) nats; ``terms`` (B, T - 1), 0 beyond the end.

        Memory: a few times B T K D numbers of attention, and B T V.
        """
        state = self._begun(condition, len(x))
        return sequences.score(self.decoder, x, self._lengths(x, lengths), state)

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Source | None = None
    ) -> Tensor:
        """(B,) nats of texts (B, T), bos first, given their sources."""
        return self.score(x, lengths, condition=condition).total

    def logits(
        self,
        features: Tensor,
        concept: Tensor | None,
        answer: Tensor | None,
        tokens: Tensor,
        *,
        num_regions: Tensor | None = None,
    ) -> Tensor:
        """Scores (B, T, V) of what follows each token, before any softmax.

        Args:
            features: (B, K, F) of regions.
            concept: (B, C), or (B,) words of the vocabulary of ``tokens``, or None.
            answer: (B, A) features or tokens, or (B,) words as those, or None.
            tokens: (B, T).
            num_regions: (B,) how many regions each has, or None where all have K.
        """
        source = Source(regions=features, num_regions=num_regions, answer=answer, concepts=concept)
        return self.decoder.step(tokens, self._begun(source, len(tokens)))[0]

    def attention_weights(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Source | None = None
    ) -> Tensor:
        """Where each token looked: weights (B, T - 1, K) of the regions, 0 beyond the end.

        Args:
            x: (B, T) tokens, bos first, padded at the end.
            lengths: (B,) valid tokens; None: all, or those before the padding of a model with one.
            condition: Their sources.
        """
        return self._looked_at(x, lengths, self._begun(condition, len(x)))

    def sample(
        self,
        num: int,
        *,
        condition: Source | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        first: Tensor | Literal["random"] | None = None,
        **settings: Any,
    ) -> Samples:
        """Write texts from sources.

        Args:
            num: How many of each source; with the method ``beam`` the likeliest, as many as it
                finds.
            condition: The sources (S), one or several.
            temperature: 1 draws from the model, 0 takes the likeliest token each time.
            generator: Of the draw.
            first: (S,) the token that the texts of each source begin with; ``random``: any word;
                None: bos.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            ``values`` (S num, T) tokens, those of the first source first, each with the token that
            it begins with and, where one came, eos last; their ``lengths``; ``log_prob`` of each;
            ``attention`` (S num, T - 1, K) and ``item``, which source each is of.

        Raises:
            ConfigError: There is no source, or it doesn't fit the model, or ``first`` doesn't.
        """
        source = self._with_regions(source_of(condition))
        begun = self._first_tokens(len(source), first, generator).split(1)
        searches = settings.get("method", self.config.generation.method) == "beam"
        drawn = drawing.complete(
            lambda given, item: self._prompts(given, source[item.to(source.device)]),
            list(begun),
            self.config.generation,
            settings if searches and temperature == 1 else {**settings, "temperature": temperature},
            num=num,
            generator=generator,
        )
        assert drawn.item is not None
        with torch.no_grad():
            state = self.decoder.init_state(len(drawn.values), source[drawn.item])
            weights = self._looked_at(drawn.values, drawn.lengths, state)
        return replace(drawn, attention=weights)

    def _first_tokens(
        self, num: int, first: Tensor | str | None, generator: torch.Generator | None
    ) -> Tensor:
        """(num,) the token that each source's texts begin with."""
        if first is None:
            return torch.full((num,), self.bos)
        if isinstance(first, str) and first == "random":
            special = (self.bos, self.eos, self.config.pad)
            words = torch.tensor([v for v in range(self.num_tokens) if v not in special])
            device = None if generator is None else generator.device
            drawn = torch.randint(len(words), (num,), generator=generator, device=device)
            return words[drawn.cpu()]
        if not isinstance(first, Tensor) or first.shape != (num,) or first.is_floating_point():
            given = f"{tuple(first.shape)}" if isinstance(first, Tensor) else repr(first)
            raise ConfigError(
                f"first is {given}; give ({num},) tokens, one for each source, or 'random'"
            )
        return first.cpu()

    def _lengths(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """(B,) tokens of each text (B, T): as given, or up to where its padding begins."""
        if lengths is None and self.config.pad is not None:
            return sequences.lengths_before(x, self.config.pad)
        return sequences.lengths_of(x, lengths)

    @property
    def _device(self) -> torch.device:
        return self.decoder.embedding.weight.device

    def _looked_at(self, x: Tensor, lengths: Tensor | None, state: dict[str, Any]) -> Tensor:
        """Weights (B, T - 1, K) of the regions, 0 beyond the end."""
        _, weights, _ = self.decoder.attend(x[:, :-1], state)
        return weights * _follows(x, self._lengths(x, lengths))[..., None]

    def _begun(self, source: Any, batch: int) -> dict[str, Any]:
        """The decoder's state before the first token."""
        return self.decoder.init_state(batch, self._with_regions(source_of(source)))

    def _with_regions(self, source: Source) -> Source:
        """The source with the features of regions that the decoder sees."""
        regions = source.regions.to(self._device)
        F = self.config.source_size
        if regions.dim() != 3 or not regions.shape[1] or regions.shape[2] != F:
            raise ConfigError(
                f"regions are {tuple(regions.shape)} and must be (B, K, {F}) with at least one "
                "region"
            )
        regions = self.regions(regions.to(self.decoder.embedding.weight.dtype))
        return replace(source.to(self._device), regions=regions)

    def _prompts(self, given: list[Tensor], source: Source) -> Prompts:
        return Prompts(
            self.decoder,
            given,
            num_tokens=self.num_tokens,
            eos=self.eos,
            pad=self.config.pad,
            condition=source,
            device=self._device,
        )

    def _forcing(self, step: int) -> float:
        """The probability that a step sees the true token (Bengio et al. 2015, 1506.03099)."""
        c = self.config
        return forcing_probability(
            step, c.forcing_schedule, end=c.teacher_forcing, steps=c.forcing_steps
        )


def _loss_of(scores: Tensor, wanted: Tensor, smooth: float, forcing: float) -> Loss:
    """Summed nats of tokens (N,) by their scores (N, V), and figures of these for the log."""
    nats = cross_entropy(scores, wanted, reduction="none")
    total = nats.sum()
    if smooth:
        total = (1 - smooth) * total - smooth * scores.log_softmax(-1).mean(-1).sum()
    metrics = {
        "chance_loss": torch.tensor(float(scores.shape[-1]), device=scores.device).log(),
        "perplexity": nats.detach().mean().exp(),
        "accuracy": (scores.argmax(-1) == wanted).to(scores.dtype).mean(),
        "teacher_forcing": torch.tensor(float(forcing), device=scores.device),
    }
    return Loss(total, torch.tensor(len(wanted), device=scores.device), metrics)


def _follows(x: Tensor, lengths: Tensor) -> Tensor:
    """(B, T - 1) where a token follows that is predicted."""
    return torch.arange(1, x.shape[1], device=x.device) < lengths[:, None]
