"""Deep clustering and Chimera against asteroid's recipe (92c8d83, egs/wsj0-mix/DeepClustering), and their own rules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import msbench
from msbench.losses.criterion import Criterion
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

SMALL = {"window_samples": 32, "hop_samples": 8, "hidden": 6, "embedding": 5, "dropout": 0.0}
BOTH = ("deep_clustering", "chimera")


def built(name, **options):
    torch.manual_seed(0)
    return msbench.load(name, **{**SMALL, **options}).eval()


def heads_of_asteroid(model, magnitudes):
    """`Chimera.forward` of model.py:71-93: embeddings (batch, bins x frames, D), and masks where it has that head."""
    rnn = peer("asteroid.masknn.recurrent").SingleRNN("lstm", 17, 6, model.rnn.num_layers, bidirectional=True)
    rnn.rnn.load_state_dict(model.rnn.state_dict())
    batch, _, frames = magnitudes.shape
    out = rnn(torch.log(magnitudes + 1e-8).permute(0, 2, 1))
    proj = torch.tanh(model.embedding(out)).view(batch, frames, -1, 5).transpose(1, 2).reshape(batch, -1, 5)
    proj = proj / (torch.norm(proj, p=2, dim=-1, keepdim=True) + 1e-8)
    if not hasattr(model, "masks"):
        return proj, None
    return proj, torch.sigmoid(model.masks(out).view(batch, frames, -1, 17).permute(0, 2, 3, 1))


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("frames", [1, 12, 37])
def test_the_heads_are_asteroids(name, frames):
    model = built(name, layers=2)
    spectrogram = noise(2, 1, 17, frames).abs()
    with torch.no_grad():
        embeddings, masks = heads_of_asteroid(model, spectrogram[:, 0])
        assert largest_difference(model.embeddings_of(model.features_of(spectrogram)), embeddings) < 1e-5
        if masks is not None:
            assert largest_difference(model.mask(spectrogram)[:, :, 0], masks) < 1e-5


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("targets", [["a", "b"], ["a", "b", "c"]])
def test_the_loss_is_asteroids(name, targets):
    """`unpack_data`, `common_step` and `ChimeraLoss` of train.py:124-199, without the permutation of the masks."""
    model = built(name, targets=targets, layers=1)
    references = noise(2, len(targets), 1, 400)
    batch = Batch(references.sum(1), references)
    magnitudes, mixture = model.stft(references)[:, :, 0].abs(), model.stft(batch.mixture)[:, 0].abs()
    ratios = magnitudes / (magnitudes.sum(1, keepdim=True) + 1e-8)
    embeddings, masks = heads_of_asteroid(model, mixture)
    loud = peer("asteroid.dsp.vad").ebased_vad(mixture.contiguous())
    assert 0 < (~loud).sum() < loud.numel() / 10
    theirs = peer("asteroid.losses").deep_clustering_loss(embeddings, ratios.argmax(1), loud).mean()
    if masks is not None:
        error = nn.functional.mse_loss(masks * mixture.unsqueeze(1), ratios * mixture.unsqueeze(1))
        theirs = model.alpha * theirs + (1 - model.alpha) * error
    torch.testing.assert_close(model.loss(batch, Criterion("affinity", "embedding")), theirs, rtol=1e-5, atol=1e-5)


def test_the_weight_of_chimeras_losses():
    references = noise(1, 2, 1, 400)
    batch = Batch(references.sum(1), references)
    criterion = Criterion("affinity", "embedding")
    model = built("chimera", layers=1)
    values = []
    for model.alpha in (0.0, 0.3, 1.0):
        values.append(model.loss(batch, criterion).item())
    assert values[1] == pytest.approx(0.7 * values[0] + 0.3 * values[2], rel=1e-5)
    assert values[2] == pytest.approx(built("deep_clustering", layers=1).loss(batch, criterion).item(), rel=0.5)


def test_sizes():
    with torch.device("meta"):
        sizes = [parameter_count(msbench.load(name, targets=["a", "b"])) for name in BOTH]
    assert sizes == [18_355_560, 35_964_618]


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("targets", [["a", "b"], ["a", "b", "c", "d"]])
def test_the_masks_share_out_the_mixture(name, targets):
    model = built(name, targets=targets, layers=1, **({"head": "clusters"} if name == "chimera" else {}))
    spectrogram = model.stft(noise(2, 1, 500)).abs()
    spectrogram[0, :, 3] = 0  # bins that are left out
    with torch.no_grad():
        masks = model.mask(spectrogram)
    torch.testing.assert_close(masks.sum(1), torch.ones_like(spectrogram))
    assert (masks[0, :, :, 3] == 1 / len(targets)).all()
    assert set(masks[1].unique().tolist()) <= {0.0, 1 / len(targets), 1.0}


@pytest.mark.parametrize("start", ["spread", "targets"])
def test_silence_and_single_bins_do_not_fail(start):
    model = built("deep_clustering", targets=["a", "b", "c"], layers=1, start=start)
    with torch.no_grad():
        assert (model(torch.zeros(2, 1, 100)) == 0).all()
        spectrogram = torch.zeros(1, 1, 17, 4)
        assert (model.mask(spectrogram) == 1 / 3).all()
        spectrogram[0, 0, 5, 2] = 1  # one bin for three clusters
        masks = model.mask(spectrogram)
    assert masks[0, :, 0, 5, 2].sum() == 1
    half = torch.cat([torch.zeros(1, 1, 300), noise(1, 1, 300)])  # one item of a batch is silent
    with torch.no_grad():
        assert torch.equal(model(half)[1:], model(half[1:]))


def embeddings_around(centers, counts, generator):
    """Unit vectors near each center, shuffled, and the center of each."""
    labels = torch.cat([torch.full((n,), i) for i, n in enumerate(counts)])[torch.randperm(sum(counts))]
    points = centers[labels] + 0.1 * torch.randn(len(labels), centers.shape[1], generator=generator)
    return nn.functional.normalize(points, dim=1), labels


@pytest.mark.parametrize("start", ["spread", "targets"])
def test_clusters_get_the_target_whose_running_mean_they_are_near(start):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = built("deep_clustering", targets=["a", "b", "c", "d"], start=start)
    model.means.copy_(torch.eye(5)[[3, 0, 4, 1]])
    model.batches.fill_(1)
    points, labels = embeddings_around(model.means, (300, 20, 100, 50), generator)
    assert torch.equal(model.clusters_of(points)[0], labels)
    turned, labels = embeddings_around(model.means + 0.3 * torch.eye(5)[2], (300, 20, 100, 50), generator)
    assert torch.equal(model.clusters_of(turned)[0], labels)  # clusters of a song that are not those of training


def test_a_silent_target_has_no_bins_where_clusters_stay_at_the_targets():
    model = built("deep_clustering", targets=["a", "b", "c"], start="targets", steps=0)
    model.means.copy_(torch.eye(5)[:3])
    model.batches.fill_(1)
    points, labels = embeddings_around(model.means, (50, 0, 50), torch.Generator().manual_seed(1))
    assert torch.equal(model.clusters_of(points)[0], labels)


@pytest.mark.parametrize("start", ["spread", "targets"])
def test_soft_masks_are_nussls_shares(start):
    """nussl 055caff, cluster_features: exp(-beta d), d from scikit-learn, over the sum of all clusters'."""
    centers = torch.eye(5)[[3, 0, 4]]
    model = built("deep_clustering", targets=["a", "b", "c"], start=start, beta=5.0)
    model.means.copy_(centers)
    model.batches.fill_(1)
    points, labels = embeddings_around(centers, (30, 20, 10), torch.Generator().manual_seed(1))
    found = np.stack([points[labels == target].mean(0).numpy() for target in range(3)])  # where k-means ends
    fitted = peer("sklearn.cluster").KMeans(3, init=found, n_init=1, max_iter=1).fit(points.numpy())
    shares = np.exp(-5 * fitted.transform(points.numpy()))
    expected = shares / shares.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(model.shares_of(points).numpy(), expected, atol=1e-5)


def test_a_beta_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="beta must be above 0, not -1"):
        built("deep_clustering", beta=-1.0)


def test_the_running_means_are_those_of_each_targets_bins():
    model = built("deep_clustering", layers=1).train()
    criterion = Criterion("affinity", "embedding")
    expected = []
    for seed in (1, 2):
        references = noise(2, 2, 1, 400, seed=seed)
        magnitudes = model.stft(references).abs()
        spectrogram = model.stft(references.sum(1)).abs()
        with torch.no_grad():
            embeddings = model.embeddings_of(model.features_of(spectrogram))
        own = (magnitudes.argmax(1) == 1).flatten(1) & model.loud(spectrogram).flatten(1)
        expected.append(embeddings[own].mean(0))
        model.loss(Batch(references.sum(1), references), criterion)
    torch.testing.assert_close(model.means[1], (expected[0] + expected[1]) / 2, atol=1e-6, rtol=1e-5)
    kept = model.means.clone()
    references = torch.cat([noise(1, 1, 1, 400), torch.zeros(1, 1, 1, 400)], 1)
    model.loss(Batch(references.sum(1), references), criterion)
    assert torch.equal(model.means[1], kept[1])  # a silent target keeps its mean
    assert not torch.equal(model.means[0], kept[0])
    kept = model.means.clone()
    model.eval().loss(Batch(references.sum(1), references), criterion)
    assert torch.equal(model.means, kept)  # validation leaves them alone


@pytest.mark.parametrize("name", BOTH)
def test_training_gives_each_target_its_own_tone(name):
    time = torch.arange(600) / 8000
    tones = [0.3 * torch.sin(2 * torch.pi * f * time) for f in (700.0, 1700.0, 3000.0)]
    references = torch.stack(tones)[None, :, None] + noise(1, 3, 1, 600) / 30
    batch = Batch(references.sum(1), references)
    model = built(name, targets=["low", "middle", "high"], layers=1).train()
    if name == "chimera":
        model.alpha = 1e-6
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        model.loss(batch, Criterion("affinity", "embedding")).backward()
        optimizer.step()
    model.eval()
    for model.start, model.head in (("spread", "clusters"), ("targets", "clusters"), ("targets", "masks")):
        with torch.no_grad():
            error = model(batch.mixture) - references
        ratio = 10 * (references.square().sum((0, 2, 3)) / error.square().sum((0, 2, 3))).log10()
        assert ratio.min() > 8


def test_a_standardized_input_does_not_know_the_level():
    model = built("chimera", standardize=True, layers=1)
    spectrogram = noise(2, 1, 17, 9).abs()
    with torch.no_grad():
        masks = model.mask(spectrogram)
        torch.testing.assert_close(model.mask(0.01 * spectrogram), masks, atol=1e-5, rtol=0)
        faint = spectrogram.clamp_min(0.0099 * spectrogram.amax((1, 2, 3), keepdim=True))  # below the floor of -40 dB
        torch.testing.assert_close(model.mask(faint), masks, atol=1e-5, rtol=0)
        assert model.mask(torch.zeros(1, 1, 17, 2)).isfinite().all()


def test_one_target_is_separated_from_the_rest():
    model = built("deep_clustering", targets=["a"], layers=1)
    mixture, reference = noise(1, 1, 400), noise(1, 1, 1, 400, seed=1)
    rest = model.stft(mixture.unsqueeze(1) - reference).abs()
    assert torch.equal(model.sources_of(Batch(mixture, reference))[:, 1:], rest)
    with torch.no_grad():
        assert model(mixture).shape == (1, 1, 1, 400)


def test_the_loss_of_chimeras_masks_alone():
    model = built("chimera", layers=1, channels=2)
    references = noise(1, 2, 2, 400)
    masks, spectrum = model.masks_of(references.sum(1))
    expected = nn.functional.l1_loss((masks * spectrum.unsqueeze(1)).abs(), model.stft(references).abs())
    value = model.loss(Batch(references.sum(1), references), Criterion("l1", "magnitude"))
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("deep_clustering", {"start": "random"}, "start must be one of spread, targets, not 'random'"),
        ("deep_clustering", {"embedding": 0}, "hidden, layers and embedding must be at least 1"),
        ("chimera", {"head": "both"}, "head must be one of masks, clusters, not 'both'"),
        ("chimera", {"alpha": 2.0}, "alpha must be from 0 to 1, not 2.0"),
    ],
)
def test_what_it_cannot_do_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        msbench.load(name, **{**SMALL, **options})
