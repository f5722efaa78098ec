"""Losses: values by hand, and those of the libraries that others train with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from msbench.losses.functions import affinity, bce, discriminative, l1, mse, si_snr, snr, wsdr
from tests.requirements import peer


def test_values_by_hand() -> None:
    estimates, references = torch.zeros(1, 1, 1, 4), torch.tensor([[[[1.0, -1.0, 3.0, 1.0]]]])
    assert l1(estimates, references).tolist() == [1.5]
    assert mse(estimates, references).tolist() == [3.0]


def test_si_snr_is_asteroids(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    pairwise_neg_sisdr = peer("asteroid.losses").pairwise_neg_sisdr
    estimates, references = pair
    theirs = torch.diagonal(pairwise_neg_sisdr(estimates[:, :, 0], references[:, :, 0]), dim1=1, dim2=2).mean(1)
    torch.testing.assert_close(si_snr(estimates, references), theirs, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(
        si_snr(3 * estimates + 1, references), si_snr(estimates, references), rtol=1e-4, atol=1e-3
    )


def test_si_snr_of_silence_is_finite() -> None:
    estimates = torch.randn(1, 2, 1, 100, requires_grad=True)
    loss = si_snr(estimates, torch.zeros(1, 2, 1, 100))
    loss.sum().backward()
    assert loss.item() == 0
    assert torch.isfinite(estimates.grad).all()


def test_snr_by_hand_and_alike_for_quiet_targets(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    _, references = pair
    assert snr(torch.zeros_like(references), references).abs().max() < 0.01  # nothing estimated: 0 dB
    torch.testing.assert_close(snr(references, references), torch.full((3,), -30.0), atol=0.01, rtol=0)
    torch.testing.assert_close(snr(1.1 * references, references), torch.full((3,), -19.6), atol=0.05, rtol=0)
    gains = torch.tensor([1.0, 0.1, 0.05, 0.02])[:, None, None]
    estimates = 0.5 * references
    torch.testing.assert_close(snr(gains * estimates, gains * references), snr(estimates, references), atol=0.1, rtol=0)


def test_snr_of_silence_is_what_is_left_in_it() -> None:
    silence = torch.zeros(1, 1, 1, 1000)
    estimates = torch.full_like(silence, 0.1, requires_grad=True)
    loss = snr(estimates, silence)
    loss.sum().backward()
    torch.testing.assert_close(loss, torch.tensor([40.0]), atol=0.01, rtol=0)  # -20 dB over a floor of -60 dB
    assert estimates.grad.min() > 0
    assert snr(silence, silence).item() == 0


def test_wsdr_by_hand() -> None:
    target, mixture = torch.tensor([[[[3.0, 0.0]]]]), torch.tensor([[[3.0, 1.0]]])  # so the rest is [0, 1], a = 9/10
    assert wsdr(target, target, mixture).item() == pytest.approx(-1, abs=1e-6)
    estimates = torch.tensor([[[[3.0, 3.0]]]])  # at 45 degrees to the target; what is left, [0, -2], is the rest turned
    assert wsdr(estimates, target, mixture).item() == pytest.approx(-0.9 / 2**0.5 + 0.1, abs=1e-6)


def test_wsdr_is_the_equation_for_each_target(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = pair
    mixture = references.sum(1)
    expected = np.zeros(3)
    for item, mixed in enumerate(mixture.flatten(1).double().numpy()):
        for target in range(4):
            y, guess = (signals[item, target].flatten().double().numpy() for signals in (references, estimates))
            cosines = [
                a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in ((y, guess), (mixed - y, mixed - guess))
            ]
            weight = y @ y / (y @ y + (mixed - y) @ (mixed - y))
            expected[item] -= (weight * cosines[0] + (1 - weight) * cosines[1]) / 4
    np.testing.assert_allclose(wsdr(estimates, references, mixture).numpy(), expected, atol=1e-6)


def test_wsdr_is_smallest_at_the_true_level(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    _, references = pair
    gains = torch.linspace(0.5, 1.5, 11).tolist()
    values = torch.stack([wsdr(gain * references, references, references.sum(1)) for gain in gains])
    assert values.argmin(0).tolist() == [5, 5, 5]  # gain 1
    assert (values[0] - values[5]).min() > 0.005


@pytest.mark.parametrize("silent", ["target", "estimate", "rest", "everything"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_wsdr_of_silence_is_finite(silent: str, dtype: torch.dtype, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = (signals[:1, :1] * (silent != "everything") for signals in pair)
    mixture = references[:, 0] if silent == "rest" else 2 * references[:, 0]
    estimates = (estimates * (silent != "estimate")).to(dtype).requires_grad_()
    references = references * (silent != "target")
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        loss = wsdr(estimates, references, mixture)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert -1.001 < loss.item() < 1.001
    assert estimates.grad is not None
    assert estimates.grad.isfinite().all()


def test_what_ignores_the_level_says_so(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = pair
    for loss in (l1, mse, si_snr, snr):
        free = torch.allclose(loss(0.5 * estimates, references), loss(estimates, references), rtol=1e-4)
        assert free == getattr(loss, "ignores_gain", False)


def test_bce_is_torchs_and_stays_finite() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(2, 3, 1, 5, 7, generator=generator)
    ideal = (torch.rand(2, 3, 1, 5, 7, generator=generator) > 0.5).float()
    theirs = torch.nn.functional.binary_cross_entropy(masks, ideal, reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(bce(masks, ideal), theirs)
    assert bce(ideal, 1 - ideal).tolist() == [100, 100]


def test_discriminative_by_hand() -> None:
    estimates, references = torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[2.0], [5.0]]])
    near, away = (1 + 4) / 2, (16 + 1) / 2
    assert discriminative(estimates, references).item() == pytest.approx(0.5 * (near - 0.05 * away))
    one = estimates[:, :1], references[:, :1]
    assert discriminative(*one).item() == pytest.approx(0.5)  # no other target
    third = torch.tensor([[[0.0]]])
    near, away = (1 + 4 + 0) / 3, ((16 + 1) + (1 + 9) + (4 + 25)) / 6
    value = discriminative(torch.cat([estimates, third], 1), torch.cat([references, third], 1))
    assert value.item() == pytest.approx(0.5 * (near - 0.05 * away))


def affinity_parts(sources: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Embeddings (B, K, D), the source of each bin (B, F, N), and whether it counts."""
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.nn.functional.normalize(torch.randn(3, 60, 7, generator=generator), dim=2)
    index = torch.arange(60).view(1, 6, 10).expand(3, -1, -1).contiguous() % sources
    return embeddings, index, torch.rand(3, 6, 10, generator=generator) > 0.3


@pytest.mark.parametrize("sources", [2, 3])
def test_affinity_is_asteroids_and_that_of_all_pairs(sources: int) -> None:
    embeddings, index, counts = affinity_parts(sources)
    ones = torch.nn.functional.one_hot(index.flatten(1), sources) * counts.flatten(1)[..., None].float()
    theirs = peer("asteroid.losses").deep_clustering_loss(embeddings, index, counts)
    torch.testing.assert_close(affinity(embeddings, ones), theirs, rtol=1e-5, atol=1e-5)
    kept = embeddings * counts.flatten(1)[..., None]
    pairs = (kept @ kept.transpose(1, 2) - ones @ ones.transpose(1, 2)).square().sum((1, 2))
    torch.testing.assert_close(affinity(embeddings, ones), pairs / counts.flatten(1).sum(1), rtol=1e-4, atol=1e-4)


def test_affinity_is_zero_for_ideal_embeddings_and_without_bins() -> None:
    index = affinity_parts(3)[1]
    ones = torch.nn.functional.one_hot(index.flatten(1), 3).float()
    turned = ones @ torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    torch.testing.assert_close(affinity(turned, ones), torch.zeros(3), atol=1e-4, rtol=0)
    embeddings = torch.randn(1, 5, 2, requires_grad=True)
    value = affinity(embeddings, torch.zeros(1, 5, 3))
    value.sum().backward()
    assert value.item() == 0
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))
