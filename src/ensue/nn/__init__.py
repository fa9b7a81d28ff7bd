"""Layers with flat keyword arguments: no configuration, no loss, no data."""

from ensue.nn.causal_attention import CausalTransformer
from ensue.nn.causal_conv import CausalConv1d, GatedStack
from ensue.nn.coupling import Coupling, alternating_mask, checkerboard_mask, half_mask
from ensue.nn.elementwise import Affine, Spline
from ensue.nn.invertible import ActNorm, InvertibleLinear, Squeeze
from ensue.nn.mlp import MLP
from ensue.nn.norm import ChannelNorm
from ensue.nn.patch_resnet import PatchResNet
from ensue.nn.recurrent import GRU, LSTM, GRUCell, LSTMCell
from ensue.nn.spectral import LogMel, mel_filterbank
from ensue.nn.strided import ConvBlock, StridedStack, log_mel_encoder, waveform_encoder

__all__ = [
    "GRU",
    "LSTM",
    "MLP",
    "ActNorm",
    "Affine",
    "CausalConv1d",
    "CausalTransformer",
    "ChannelNorm",
    "ConvBlock",
    "Coupling",
    "GRUCell",
    "GatedStack",
    "InvertibleLinear",
    "LSTMCell",
    "LogMel",
    "PatchResNet",
    "Spline",
    "Squeeze",
    "StridedStack",
    "alternating_mask",
    "checkerboard_mask",
    "half_mask",
    "log_mel_encoder",
    "mel_filterbank",
    "waveform_encoder",
]
