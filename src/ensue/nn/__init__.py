"""Layers with flat keyword arguments: no configuration, no loss, no data."""

from ensue.nn.causal_attention import CausalTransformer
from ensue.nn.causal_conv import CausalConv1d, GatedStack
from ensue.nn.coupling import AffineCoupling, alternating_halves
from ensue.nn.norm import ChannelNorm
from ensue.nn.recurrent import GRU, LSTM, GRUCell, LSTMCell
from ensue.nn.spectral import LogMel, mel_filterbank
from ensue.nn.strided import ConvBlock, StridedStack, log_mel_encoder, waveform_encoder

__all__ = [
    "GRU",
    "LSTM",
    "AffineCoupling",
    "CausalConv1d",
    "CausalTransformer",
    "ChannelNorm",
    "ConvBlock",
    "GRUCell",
    "GatedStack",
    "LSTMCell",
    "LogMel",
    "StridedStack",
    "alternating_halves",
    "log_mel_encoder",
    "mel_filterbank",
    "waveform_encoder",
]
