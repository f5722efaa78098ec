"""Deep clustering: Hershey, Chen, Le Roux, Watanabe, "Deep clustering: discriminative embeddings for segmentation and
separation", ICASSP 2016 (arXiv:1508.04306); and Chimera: Luo, Chen, Hershey, Le Roux, Mesgarani, "Deep clustering and
conventional networks for music separation: stronger together", ICASSP 2017 (arXiv:1611.06265).

The texts of the papers were not read. asteroid's recipe was: asteroid-team/asteroid (92c8d83),
egs/wsj0-mix/DeepClustering. As there: a bidirectional LSTM reads the logarithms of the mixture's magnitudes and gives
each bin of the spectrogram an embedding v, tanh of a linear layer, of unit norm. The loss `affinity` brings together
those that one source dominates, and turns the others apart:

    |V V' - Y Y'|^2 = |V' V|^2 - 2 |V' Y|^2 + |Y' Y|^2

V having the embeddings of all bins as rows, and Y a one at the source that is loudest in the bin. Bins 40 dB below the
loudest of a chunk are left out. At inference, k-means finds as many clusters of embeddings as there are sources, each
of which is a binary mask. Chimera has a second head on the same LSTM, a sigmoid mask for each source; its loss is

    alpha x affinity + (1 - alpha) x mean square of (mask - ideal ratio mask) x magnitude

**Which cluster is which target.** k-means does not know. During training, each target's embeddings are averaged: the
mean over its bins in each batch, and a running mean over the batches, saved with the weights. `start: spread` begins
k-means from points far apart (k-means++ with a fixed seed), as for sources of one kind, and matches clusters and
running means so that the sum of squared distances is smallest. `start: targets` begins k-means at the running means,
and each cluster is the target that it began from; with `steps: 0` each bin is of the nearest running mean. Where a
target is silent, `spread` divides another one in two. The heads of Chimera are of the targets in their order.

**Soft masks.** With `beta`, each cluster has a share of a bin in proportion to exp(-beta d), where d is the distance of
the bin's embedding from the center, as in nussl (nussl/nussl 055caff, `cluster_features` in
nussl/separation/base/clustering_separation_base.py, with a beta of 5).

A single target is separated from the rest of the mixture, as a second source. The masks of the clusters add up to one;
bins that are left out are shared evenly (in asteroid, each source gets them whole).

Differences from asteroid:

- The centered STFT of msbench, with asteroid's window (the square root of Hann's). A full-scale sine has a magnitude of
  one half, so a logarithm differs by a constant, which the first layer's biases can hold.
- asteroid trains the heads of Chimera by the best permutation of the sources (PIT), its sources being of one kind.
- k-means begins once; scikit-learn's, which asteroid calls, is seeded anew in each call.
- Several audio channels are read side by side, each with bins of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from msbench import STFT, Batch, SpectrogramSeparator, kmeans, spread_points

STARTS = ("spread", "targets")
HEADS = ("masks", "clusters")
FADING = 100  # batches over which the running means forget


class DeepClustering(SpectrogramSeparator):
    """Masks from clusters of embeddings (Hershey et al. 2016).

    Args:
        targets: The sources, any number; one is separated from the rest.
        sample_rate: Rate in Hz; 8000 in asteroid's recipe.
        channels: Audio channels; 1 in asteroid's recipe.
        window_samples, hop_samples: The STFT; 256 and 64 in asteroid's recipe.
        hidden: Units of each LSTM layer and direction.
        layers: Number of LSTM layers.
        embedding: Length of an embedding.
        dropout: Between the LSTM layers, and after the last.
        silence_db: How far below the loudest bin of a chunk a bin is left out.
        start: Where k-means begins, and so which cluster is which target: `spread` or `targets` (see above).
        steps: The most steps of k-means.
        standardize: Whether the logarithms, no lower than where a bin is left out, are brought to zero mean and unit
            variance in each chunk; not in asteroid's recipe, where units begin saturated and learn slowly.
        beta: Of soft masks (see above); None for binary ones.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    loss_domains: ClassVar[tuple[str, ...]] = ("embedding",)

    means: Tensor
    batches: Tensor

    def __init__(
        self,
        targets: Sequence[str] = ("vocals", "accompaniment"),
        sample_rate: int = 8000,
        channels: int = 1,
        window_samples: int = 256,
        hop_samples: int = 64,
        hidden: int = 600,
        layers: int = 2,
        embedding: int = 40,
        dropout: float = 0.3,
        silence_db: float = 40.0,
        start: str = "spread",
        steps: int = 100,
        standardize: bool = False,
        beta: float | None = None,
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if start not in STARTS:
            raise ValueError(f"start must be one of {', '.join(STARTS)}, not '{start}'")
        if min(hidden, layers, embedding) < 1 or steps < 0 or silence_db <= 0:
            raise ValueError(
                "hidden, layers and embedding must be at least 1, steps at least 0 and silence_db above 0, not "
                f"{hidden}, {layers}, {embedding}, {steps} and {silence_db}"
            )
        if beta is not None and beta <= 0:
            raise ValueError(f"beta must be above 0, not {beta}; leave it out for binary masks")
        self.stft = STFT(window_samples, hop_samples, window="sine")
        self.sources = max(2, len(self.targets))
        self.silence = 10 ** (-silence_db / 20)
        self.start = start
        self.steps = steps
        self.standardize = standardize
        self.beta = beta
        bins = channels * self.stft.bins
        self.rnn = nn.LSTM(
            bins, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0, bidirectional=True
        )
        self.dropout = nn.Dropout(dropout)
        self.embedding = nn.Linear(2 * hidden, bins * embedding)
        self.register_buffer("means", torch.zeros(self.sources, embedding))
        self.register_buffer("batches", torch.zeros(self.sources))  # that each mean is of

    def mask(self, spectrogram: Tensor) -> Tensor:
        embeddings = self.embeddings_of(self.features_of(spectrogram))
        return self.clustered(embeddings, spectrogram)

    def features_of(self, spectrogram: Tensor) -> Tensor:
        """Magnitudes (B, C, F, N) to what the heads read, (B, N, 2 x hidden)."""
        levels = (spectrogram + 1e-8).log()
        if self.standardize:
            loudest = spectrogram.amax((1, 2, 3), keepdim=True)
            levels = torch.maximum(spectrogram, self.silence * loudest).clamp_min(1e-20).log()
            levels = levels - levels.mean((1, 2, 3), keepdim=True)
            levels = levels / (levels.square().mean((1, 2, 3), keepdim=True).sqrt() + 1e-3)
        frames = levels.flatten(1, 2).transpose(1, 2)  # (B, N, CF)
        return self.dropout(self.rnn(frames)[0])

    def embeddings_of(self, features: Tensor) -> Tensor:
        """(B, N, 2 x hidden) to one embedding for each bin, (B, CFN, D)."""
        embeddings = self.embedding(features).tanh().unflatten(2, (-1, self.means.shape[1])).transpose(1, 2)
        return embeddings.flatten(1, 2) / (embeddings.flatten(1, 2).norm(dim=2, keepdim=True) + 1e-8)

    def loud(self, spectrogram: Tensor) -> Tensor:
        """Which bins (B, C, F, N) are not left out; none of silence."""
        return spectrogram > self.silence * spectrogram.amax((1, 2, 3), keepdim=True)

    def clustered(self, embeddings: Tensor, spectrogram: Tensor) -> Tensor:
        """The masks (B, S, C, F, N) of embeddings (B, CFN, D)."""
        masks = []
        for item, loud in zip(embeddings.float(), self.loud(spectrogram), strict=True):
            mask = item.new_full((self.sources, loud.numel()), 1 / self.sources)
            chosen = loud.flatten()
            if chosen.any():
                mask[:, chosen] = self.shares_of(item[chosen]).T
            masks.append(mask.unflatten(1, loud.shape))
        return torch.stack(masks)[:, : len(self.targets)]

    def shares_of(self, embeddings: Tensor) -> Tensor:
        """The share that each target has of the bins of some embeddings (K, D), (K, sources)."""
        clusters, centers = self.clusters_of(embeddings)
        if self.beta is not None:
            return torch.softmax(-self.beta * torch.cdist(embeddings, centers), 1)
        return nn.functional.one_hot(clusters, self.sources).to(embeddings.dtype)

    def clusters_of(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """The cluster of each embedding (K, D), (K,), and the centers (sources, D), in the order of the targets."""
        if self.start == "targets" and self.batches.all():
            return kmeans(embeddings, self.means, self.steps)
        clusters, centers = kmeans(embeddings, spread_points(embeddings, self.sources), self.steps)
        from scipy.optimize import linear_sum_assignment  # slow to import

        distances = (centers.unsqueeze(1) - self.means).square().sum(2)  # (clusters, targets)
        targets = torch.from_numpy(linear_sum_assignment(distances.cpu().numpy())[1]).to(clusters.device)
        return targets[clusters], centers[targets.argsort()]

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Any:
        spectrogram = self.stft(batch.mixture).abs()
        return self.embedding_loss(self.features_of(spectrogram), spectrogram, self.sources_of(batch), criterion)

    def sources_of(self, batch: Batch) -> Tensor:
        """Magnitudes of all sources, (B, sources, C, F, N): the targets, and the rest where there is one target."""
        references = batch.references
        if references.shape[1] < self.sources:
            references = torch.cat([references, batch.mixture.unsqueeze(1) - references], 1)
        return self.stft(references).abs()

    def embedding_loss(
        self, features: Tensor, spectrogram: Tensor, sources: Tensor, criterion: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """The loss of the embeddings; in training it also updates the running means."""
        loudest = nn.functional.one_hot(sources.argmax(1).flatten(1), self.sources).to(spectrogram.dtype)
        loudest = loudest * self.loud(spectrogram).flatten(1).unsqueeze(2)  # (B, CFN, sources)
        embeddings = self.embeddings_of(features)
        if self.training:
            self._average(embeddings.detach().to(loudest.dtype), loudest)
        return criterion(embeddings, loudest)

    @torch.no_grad()
    def _average(self, embeddings: Tensor, loudest: Tensor) -> None:
        counts = loudest.sum((0, 1))
        means = torch.einsum("bks,bkd->sd", loudest, embeddings) / counts.clamp_min(1).unsqueeze(1)
        self.batches += counts > 0
        share = (counts > 0) / self.batches.clamp(1, FADING)
        self.means.lerp_(means, share.unsqueeze(1))


class Chimera(DeepClustering):
    """Embeddings and masks from one network (Luo et al. 2017).

    Args:
        targets: The sources, any number; one is separated from the rest.
        sample_rate, channels, window_samples, hop_samples, hidden, layers, embedding, dropout, silence_db, start,
            steps, standardize, beta: As for `deep_clustering`.
        alpha: Weight of the affinity loss, the masks having 1 - alpha (`loss_domain: embedding`).
        head: Which one separates: `masks` or `clusters`.
        phase: As for `deep_clustering`.
    """

    loss_domains: ClassVar[tuple[str, ...]] = ("embedding", "magnitude", "waveform")

    def __init__(
        self,
        targets: Sequence[str] = ("vocals", "accompaniment"),
        sample_rate: int = 8000,
        channels: int = 1,
        window_samples: int = 256,
        hop_samples: int = 64,
        hidden: int = 600,
        layers: int = 4,
        embedding: int = 40,
        dropout: float = 0.3,
        silence_db: float = 40.0,
        start: str = "spread",
        steps: int = 100,
        standardize: bool = False,
        beta: float | None = None,
        alpha: float = 0.00107,
        head: str = "masks",
        **phase: Any,
    ) -> None:
        super().__init__(
            targets,
            sample_rate,
            channels,
            window_samples,
            hop_samples,
            hidden,
            layers,
            embedding,
            dropout,
            silence_db,
            start,
            steps,
            standardize,
            beta,
            **phase,
        )
        if head not in HEADS:
            raise ValueError(f"head must be one of {', '.join(HEADS)}, not '{head}'")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be from 0 to 1, not {alpha}")
        self.alpha = alpha
        self.head = head
        self.masks = nn.Linear(2 * hidden, self.sources * channels * self.stft.bins)

    def mask(self, spectrogram: Tensor) -> Tensor:
        features = self.features_of(spectrogram)
        if self.head == "clusters" and not self.training:
            return self.clustered(self.embeddings_of(features), spectrogram)
        return self.masks_by(features, spectrogram)[:, : len(self.targets)]

    def masks_by(self, features: Tensor, spectrogram: Tensor) -> Tensor:
        """(B, N, 2 x hidden) to the masks of all sources, (B, sources, C, F, N)."""
        return self.masks(features).sigmoid().transpose(1, 2).unflatten(1, (self.sources, *spectrogram.shape[1:3]))

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Any:
        if getattr(criterion, "domain", "waveform") != "embedding":
            return SpectrogramSeparator.loss(self, batch, criterion)
        spectrogram, sources = self.stft(batch.mixture).abs(), self.sources_of(batch)
        features = self.features_of(spectrogram)
        ideal = sources / (sources.sum(1, keepdim=True) + 1e-8)
        error = (self.masks_by(features, spectrogram) - ideal) * spectrogram.unsqueeze(1)
        affinity = self.embedding_loss(features, spectrogram, sources, criterion)
        return self.alpha * affinity + (1 - self.alpha) * error.square().mean()
