"""Recurrent layers from tokens to scores of the next ones.

Dims: B batch, T tokens, N tokens of all texts, E embedding, H features, V vocabulary.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ensue.models.tokens.charrnn_config import CharRNNConfig
from ensue.models.tokens.sequences import require_no_condition
from ensue.nn import GRU, LSTM
from ensue.nn.packing import Packing, run_packed


class TokenDecoder(nn.Module):
    """Tokens (B, T) to scores (B, T, V) of the next ones, with a state: what generation steps.

    Args:
        num_tokens: V.
        embedding_size: E.
        layers: Recurrent layers of this house, from E to H features.
        dropout: Of what enters the layers and the scores.
    """

    recordable = True

    def __init__(
        self, num_tokens: int, embedding_size: int, layers: LSTM | GRU, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, embedding_size)
        self.layers = layers
        self.scores = nn.Linear(layers.hidden_size, num_tokens)
        self.dropout = nn.Dropout(dropout)
        self.num_features = layers.hidden_size

    def features(
        self, x: Tensor, state: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Embeddings (B, T, E) of tokens, features (B, T, H) of all up to each, and the state."""
        z = self.embedding(x.long())
        y, state = self.layers.step(self.dropout(z), state)
        return z, y, state

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Tensor]:
        """The state of ``batch`` texts before their first token.

        Raises:
            ConfigError: There is a condition, which has no place here.
        """
        require_no_condition(condition, "charrnn")
        return self.layers.init_state(batch)

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state."""
        _, y, state = self.features(x, state)
        return self.scores(self.dropout(y)), state

    def packed(self, x: Tensor, packing: Packing) -> Tensor:
        """The log-probability (N,) of what follows each of the packed tokens of texts (B, T)."""
        inputs = self.dropout(self.embedding(packing.pack(x[:, :-1])))
        y, _ = run_packed(self.layers, inputs, packing)
        scores = self.scores(self.dropout(y))
        return -cross_entropy(scores, packing.pack(x[:, 1:]), reduction="none")

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more scores."""
        batch = len(next(iter(state.values())))
        return self.scores.weight.new_zeros(batch, 0, self.scores.out_features), state


def recurrent_layers(config: CharRNNConfig) -> LSTM | GRU:
    """The layers of these settings."""
    shape: dict[str, Any] = {
        "input_size": config.embedding_size,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_layers,
        # torch warns of dropout between layers where there is one layer.
        "dropout": config.dropout if config.num_layers > 1 else 0.0,
        "layer_norm": config.layer_norm,
        "zoneout": config.zoneout,
        "recurrent_dropout": config.recurrent_dropout,
    }
    return GRU(**shape) if config.cell == "gru" else LSTM(**shape, forget_bias=1.0)
