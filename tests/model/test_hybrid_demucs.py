"""The U-Net of two branches: its transforms, its layers, and what is around them."""

import pytest
import torch

from msbench.model.hybrid_demucs import HybridDemucs, HybridShape, _reflected

SHAPE = HybridShape(8, 3, 64, 4, 2, branches_up=True)


def model(normalize: bool = False) -> HybridDemucs:
    torch.manual_seed(0)
    return HybridDemucs(["a", "b"], 8000, 2, SHAPE, 0.1, normalize).eval()


def test_the_branches_meet_at_the_rate_of_the_stft() -> None:
    layers = list(HybridShape(8, 4, 64, 4, 2, False).layers(2, 3))
    assert [layer.meets for layer, _ in layers] == [False, True, False, False]
    assert [layer.over_frequencies for layer, _ in layers] == [True, True, False, False]
    strides = [layer_t.stride for _, layer_t in layers if layer_t]
    assert torch.tensor(strides).prod() == 64 // 4
    (first, first_t), (_, met_t), (behind, _), _ = layers
    assert (first.channels_in, first.channels_out, first_t.channels_in, first_t.channels_out) == (4, 12, 2, 6)
    assert met_t.bare
    assert (behind.kernel, behind.stride, behind.deep, behind.width) == (4, 2, True, 32)


def test_branches_of_few_layers_stay_apart() -> None:
    assert not any(layer.meets for layer, _ in HybridShape(8, 4, 2048, 4, 4, False).layers(2, 4))


def test_there_is_a_frame_for_each_hop_and_the_middle_comes_back() -> None:
    """All but the highest frequency, and but the ends, where frames are missing."""
    separator = model()
    tone = torch.sin(torch.arange(1003) * 0.7) * torch.ones(1, 2, 1)
    for time in (1, 15, 16, 17, 1003):
        assert separator.spectrum(tone[..., :time]).shape == (1, 2, 32, -(-time // 16))
    back = separator.waveform(separator.spectrum(tone), 1003)
    assert torch.allclose(back[..., 48:-48], tone[..., 48:-48], atol=1e-3)


def test_what_is_too_short_to_reflect_is_first_padded_with_zeros() -> None:
    x = torch.arange(1.0, 7.0).reshape(1, 1, 6)
    assert torch.equal(_reflected(x, 2, 3), torch.nn.functional.pad(x, (2, 3), "reflect"))
    assert _reflected(x[..., :2], 2, 3).flatten().tolist() == [0, 2, 1, 2, 0, 0, 0]
    assert _reflected(x[..., :1], 4, 4).shape[-1] == 9


@pytest.mark.parametrize("time", [1, 63, 64, 1003])
def test_every_length_and_level_has_finite_estimates(time: int) -> None:
    separator = model(normalize=True)
    mixture = torch.randn(2, 2, time, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for gain in (0.0, 1e-6, 1.0, 100.0):
            estimates = separator(gain * mixture)
            assert estimates.shape == (2, 2, 2, time)
            assert estimates.isfinite().all()


def test_a_quiet_song_is_separated_as_a_loud_one() -> None:
    mixture = torch.randn(1, 2, 1003, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loud, quiet = model(normalize=True)(mixture), model(normalize=True)(1e-6 * mixture)
        plain = model()(1e-6 * mixture)
    assert (1e6 * quiet - loud).abs().max() < 0.02 * loud.abs().max()
    assert (1e6 * plain - loud).abs().max() > 0.1 * loud.abs().max()  # of a level near the constants it divides by


def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="rescale must be at least 0, not -1"):
        HybridDemucs(["a"], 8000, 1, SHAPE, -1, True)
    with pytest.raises(ValueError, match="compress must be a whole number of at least 1, not 0"):
        HybridShape(8, 3, 64, 0, 2, False)
    with pytest.raises(ValueError, match="window_samples of 100 does not fit 2 layers"):
        list(HybridShape(8, 2, 100, 4, 2, False).layers(1, 1))
