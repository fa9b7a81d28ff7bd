"""Recurrent layers, written out and verified: the interface and weights of ``torch.nn``'s.

``lstm.py`` and ``gru.py`` hold the equations, forward and backward; ``layers.py`` and ``cells.py``
what users call; ``stack.py``, ``layout.py`` and ``regularization.py`` what these share.
"""

from ensue.nn.recurrent.cells import GRUCell, LSTMCell
from ensue.nn.recurrent.layers import GRU, LSTM

__all__ = ["GRU", "LSTM", "GRUCell", "LSTMCell"]
