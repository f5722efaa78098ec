"""What the module does around a model's training: songs are shown to a new model, and to no other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import msbench
from msbench.model.separator import Batch
from msbench.training.fit import fit
from msbench.training.module import SeparationModule
from tests.tiny import MODEL, fit_arguments, write_songs

PREPARED = MODEL.replace("self.calls = 0", 'self.calls = 0\n        self.register_buffer("seen", torch.zeros(3))') + '''
    def prepare(self, batches):
        """Count the calls, the samples and their sum of squares."""
        self.seen[0] += 1
        for batch in batches:
            assert not self.conv.weight.is_inference() and batch.references.shape[1] == 2
            self.seen[1] += batch.mixture.numel()
            self.seen[2] += batch.mixture.square().sum()
'''  # fmt: skip


def seen(folder: Path) -> list[float]:
    content: dict[str, Any] = torch.load(folder / "last.ckpt", weights_only=True)
    return content["state_dict"]["separator.seen"].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("extra", [[], ["--ema_decay", "0.9"]], ids=["plain", "ema"])
def test_a_new_model_sees_each_song_once_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "plugins"))
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "tiny.py").write_text(PREPARED)
    songs = write_songs(tmp_path / "songs", seconds=0.6)
    flags = [*fit_arguments(), *extra, "--data.remix", "true", "--data.gain", "[0.25, 1.25]"]  # not for these
    first = fit([*flags, "--trainer.max_epochs", "1", "--output", "run"])
    calls, samples, energy = seen(first)
    stems = [[soundfile.read(stem)[0] for stem in song.iterdir()] for song in (songs / "train").iterdir()]
    assert (calls, samples) == (1, 2 * 3 * 2000)  # the last chunk of each song is filled up with zeros
    assert energy == pytest.approx(sum(np.square(sum(song)).sum() for song in stems), rel=1e-4)
    assert seen(fit([*flags, "--trainer.max_epochs", "2", "--output", "run"])) == [calls, samples, energy]
    second = fit([*flags, "--trainer.max_epochs", "1", "--init_from", str(first / "last.ckpt"), "--output", "second"])
    assert seen(second) == [calls, samples, energy]


class Scaled(msbench.SpectrogramSeparator):
    """One gain for all bins."""

    def __init__(self) -> None:
        super().__init__(["voice"], 8000, 1, window_samples=64, hop_samples=16)
        self.gain = torch.nn.Parameter(torch.tensor(0.5))

    def mask(self, spectrogram: torch.Tensor) -> torch.Tensor:
        return self.gain * torch.ones_like(spectrogram).unsqueeze(1)


def test_a_repeated_chunk_of_another_rank_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SeparationModule(Scaled())
    logged: list[tuple[float, int]] = []
    monkeypatch.setattr(module, "log", lambda name, value, batch_size, **_: logged.append((value.item(), batch_size)))
    monkeypatch.setattr(module, "log_dict", lambda *_, **__: None)
    trainer = SimpleNamespace(world_size=2, datamodule=SimpleNamespace(counted=[2, 1, 0].__getitem__))
    module.trainer = trainer  # type: ignore[assignment]
    references = torch.randn(2, 1, 1, 500, generator=torch.Generator().manual_seed(0))
    for number in range(3):
        module.validation_step(Batch(references.sum(1), references), number)
    assert [items for _, items in logged] == [4, 2, 0]
    first = 0.5 * references[0].abs().mean().item()
    assert logged[1][0] == pytest.approx(first, rel=1e-4)
    energy = references.double().square()
    torch.testing.assert_close(module._energies[0, 0], energy.sum() + energy[0].sum())


def test_parts_of_several_domains_are_summed_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = {"l1": 1.0, "bins": {"loss": "mse", "domain": "magnitude", "weight": 0.5}}
    module, logged = SeparationModule(Scaled(), loss=loss), {}
    monkeypatch.setattr(module, "log", lambda name, value, **options: logged.update({name: value.item()}))
    monkeypatch.setattr(
        module, "log_dict", lambda values, **options: logged.update({k: v.item() for k, v in values.items()})
    )
    references = torch.randn(2, 1, 1, 500, generator=torch.Generator().manual_seed(0))
    value = module.training_step(Batch(references.sum(1), references), 0)
    bins = 0.25 * module.separator.stft(references).abs().square().mean()
    torch.testing.assert_close(value, 0.5 * references.abs().mean() + 0.5 * bins, rtol=1e-4, atol=0)
    assert logged["train_loss"] == pytest.approx(logged["train_loss_l1"] + 0.5 * logged["train_loss_bins"])
    assert {"train_loss_bins", "val_loss_l1"} <= set(module.logged)
    with pytest.raises(ValueError, match=r"Scaled has no mask loss: its loss_domain may be waveform or magnitude"):
        SeparationModule(Scaled(), loss={"l1": 1.0, "bins": {"loss": "mse", "domain": "mask"}})
