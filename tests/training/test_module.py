"""What the module does around a model's training: songs are shown to a new model, and to no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from msbench.training.fit import fit
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
