"""What a model costs: parameters, and multiply-accumulates per second of audio."""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from msbench.model.separator import Separator, separate_batch

MOST_LENGTHS = 8  # that are tried, each the double of the one before


def parameter_count(separator: nn.Module) -> int:
    """Number of values in all parameters, without the parts that training alone needs.

    A model that has none and brings its own training, as NMF, learns buffers: those in its state count. An ensemble has
    the sum of its members'.
    """
    if isinstance(separator, Separator) and (members := separator.combines()):
        return sum(parameter_count(member) for member in members)
    parts = getattr(separator, "training_parts", ())
    learned = dict(separator.named_parameters())
    if not learned and getattr(separator, "own_training", False):
        learned = {name: value for name, value in separator.state_dict().items() if value.is_floating_point()}
    return sum(value.numel() for name, value in learned.items() if name.partition(".")[0] not in parts)


def macs_per_second(separator: Separator) -> float | None:
    """Matrix and convolution MACs per second of audio; None for a model that needs the references.

    Counted as the growth from one length to its double: what is spent on padding to a whole stride cancels. A model
    that reads whole segments does not grow within one, so its lengths are doubled until it has grown twice. An
    ensemble's are the sum of its members', each at its own rate and channels.
    """
    if members := separator.combines():
        counted = [macs_per_second(member) for member in members]
        return sum(count for count in counted if count is not None)
    if separator.needs_references:
        return None
    stride = separator.stride_samples
    samples = stride * -(-separator.sample_rate // (4 * stride))
    counts = [_macs(separator, samples), _macs(separator, 2 * samples)]
    segments = 0 < counts[0] == counts[1]
    while segments and len(set(counts)) < 3 and len(counts) < MOST_LENGTHS:
        samples *= 2
        counts.append(_macs(separator, 2 * samples))
    return (counts[-1] - counts[-2]) * separator.sample_rate / samples


def _macs(separator: Separator, samples: int) -> float:
    device = next((parameter.device for parameter in separator.parameters()), torch.device("cpu"))
    mixture = torch.zeros(1, separator.channels, samples, device=device)
    # A fused LSTM or GRU is one operation that the counter does not know; without oneDNN it is made of products.
    recurrent = any(isinstance(module, nn.RNNBase) for module in separator.modules())
    training = separator.training
    separator.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():  # in inference_mode, torch 2.4 counts nothing
            warnings.simplefilter("ignore")  # that switch warns of TF32 on Intel GPUs
            with torch.backends.mkldnn.flags(enabled=not recurrent), FlopCounterMode(display=False) as counter:
                separate_batch(separator, mixture)
    finally:
        separator.train(training)
    return counter.get_total_flops() / 2
