"""The recurrent language model: what a text says next, token by token (Graves 2013, 1308.0850).

The layers are in ``charrnn_decoder``, what all token models do in ``model`` and ``streams``.
Dims: B batch, T tokens, E embedding, H features, V vocabulary.
"""

from torch import Tensor

from ensue.configuration import validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.protocols import Loss, Score
from ensue.models.tokens import sequences
from ensue.models.tokens.charrnn_config import CharRNNConfig
from ensue.models.tokens.charrnn_decoder import TokenDecoder, recurrent_layers
from ensue.models.tokens.layouts import Line
from ensue.models.tokens.sequences import require_no_condition
from ensue.models.tokens.streams import StreamingModel
from ensue.nn.packing import Packing


class CharRNN(
    StreamingModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["language-model", "lstm", "gru", "text-generation"],
):
    r"""A recurrent language model.

    .. math:: \log p(x_1 \ldots x_T) = \sum_t \log \mathrm{softmax}(W h_t + b)_{x_t}, \quad
              h_t = \mathrm{RNN}(x_{t-1}, h_{t-1}), \quad x_0 = \mathrm{bos}

    (eq. 3, Graves 2013). A sequence of tokens holds bos first; what follows is predicted.

    Args:
        config: The settings; the codec gives ``num_tokens``, ``bos`` and ``eos``.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> import torch
        >>> config = CharRNNConfig(num_tokens=6, bos=4, eos=5, hidden_size=8, embedding_size=8)
        >>> model = CharRNN(config).eval()
        >>> score = model.score(torch.tensor([[4, 0, 1, 5]]))
        >>> score.kind, score.terms.shape
        ('exact', torch.Size([1, 3]))
    """

    def __init__(self, config: CharRNNConfig) -> None:
        super().__init__()
        self.config = config = validate(CharRNNConfig, config, section="model")
        V, bos, eos = config.num_tokens, config.bos, config.eos
        if V is None or bos is None or eos is None or max(bos, eos) >= V:
            raise ConfigError(
                f"num_tokens is {V}, bos {bos} and eos {eos}; the codec of the texts gives them"
            )
        self.num_tokens, self.bos, self.eos, self.layout = V, bos, eos, Line()
        self.decoder = TokenDecoder(
            V, config.embedding_size, recurrent_layers(config), config.dropout
        )

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Nats of all tokens after the first, summed.

        Args:
            batch: ``x`` (B, T) tokens.
            step: Plays no part.
        """
        x, lengths = batch.x, batch.lengths
        # Padding costs nothing where each text has something to predict.
        if lengths is None or bool((lengths < self.shortest).any()):
            terms = self.score(x, lengths).terms
        else:
            terms = self.decoder.packed(x.long(), Packing.of(lengths - 1))
        return sequences.loss(terms, lengths, self.num_tokens)

    def score(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Score:
        """The log-probability of each text, token by token.

        Args:
            x: (B, T) tokens, bos first, padded at the end.
            lengths: (B,) valid tokens, or None where all are.
            condition: None; this family has no place for one.

        Returns:
            ``total`` (B,) nats; ``terms`` (B, T - 1), 0 beyond the end.

        Memory: B V numbers for each of 1024 tokens at a time.
        """
        state = self.decoder.init_state(len(x), condition)
        return sequences.score(self.decoder, x, lengths, state)

    def condition_of(self, condition: Tensor | None, num: int) -> None:
        """Nothing; a condition is refused."""
        require_no_condition(condition, "charrnn")
