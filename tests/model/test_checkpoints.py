"""Models by name and from checkpoints: what is read, once, and how a bad file or option is told."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

import msbench
from msbench.cli.app import main
from msbench.model.checkpoints import KEY, Checkpoint, create

# Options that fail in each way that a constructor can.
FUSSY = '''
"""A model that refuses options."""
from torch import nn
from msbench import Separator


class Fussy(Separator):
    """One convolution."""

    def __init__(self, targets: list[str] = ("voice",), sample_rate: int = 8000, channels: int = 1, depth: int = 3,
                 width: int = 3, broken: bool = False):
        super().__init__(targets, sample_rate, channels)
        if depth > 6:
            raise ValueError(f"depth must be at most 6, not {depth}")
        if broken:
            self.missing_name
        self.conv = nn.Conv1d(channels, channels, width, padding="same")

    def forward(self, mixture):
        return self.conv(mixture)[:, None]
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fussy.py").write_text(FUSSY)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "fussy.py"))
    return tmp_path / "fussy.py"


@pytest.fixture
def path(plugin: Path) -> Path:
    """A checkpoint as `msbench fit` writes it."""
    model = create("fussy", {"width": 5})
    weights = {f"separator.{name}": value for name, value in model.state_dict().items()}
    content: dict[str, Any] = {
        KEY: model.registered,
        "state_dict": weights,
        "seed": 3,
        "global_step": 40,
        "epoch": 2,
        "training": {"tracks": 7},
        "averaging_state": {},
        "optimizer_states": [torch.zeros(1000)],
    }
    torch.save(content, plugin.parent / "best.ckpt")
    return plugin.parent / "best.ckpt"


def test_a_checkpoint_says_what_it_holds(path: Path) -> None:
    held = Checkpoint.read(path)
    assert (held.path, held.name, held.options) == (path, "fussy", {"width": 5})
    assert (held.seed, held.step, held.epoch, held.training, held.ema) == (3, 40, 2, {"tracks": 7}, True)
    assert held.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(dataclasses.FrozenInstanceError):
        held.seed = 4  # type: ignore[misc]


def test_it_is_read_once(path: Path) -> None:
    held = Checkpoint.read(path)
    path.unlink()
    model = held.separator()
    assert held.weights is not None
    assert torch.equal(model.state_dict()["conv.weight"], held.weights["conv.weight"])
    assert model.registered == {"name": "fussy", "options": {"width": 5}}


def test_a_pickled_copy_is_small_and_says_the_same(path: Path) -> None:
    held = Checkpoint.read(path)
    path.unlink()  # the copy neither loads nor hashes
    sent = pickle.dumps(held)
    copy = pickle.loads(sent)
    assert copy == held
    assert len(sent) < 1000
    with pytest.raises(RuntimeError, match="was pickled without its weights"):
        copy.separator()


def test_an_old_checkpoint_leaves_unknown_what_it_does_not_say(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    torch.save({key: content[key] for key in (KEY, "state_dict")}, path)
    held = Checkpoint.read(path)
    assert (held.seed, held.step, held.epoch, held.training, held.ema) == (None, None, None, None, False)


def test_load_takes_a_name_or_a_path(path: Path) -> None:
    by_path, by_name = msbench.load(path), msbench.load("fussy", checkpoint=path)
    assert torch.equal(by_path.state_dict()["conv.weight"], by_name.state_dict()["conv.weight"])
    with pytest.raises(ValueError, match=r"is a checkpoint of 'fussy', not of 'unet'"):
        msbench.load("unet", checkpoint=path)
    with pytest.raises(ValueError, match="two checkpoints given"):
        msbench.load(path, checkpoint=path)
    with pytest.raises(ValueError, match=r"best.ckpt does not fit Fussy as configured: conv.weight is 1x1x5 in"):
        msbench.load(path, width=7)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a checkpoint: it is empty"),
        (b"not a checkpoint", "is not a checkpoint: it has another format"),
        (b"\n<!DOCTYPE html>", "is not a checkpoint: it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer to one: run `git lfs pull`"),
        (b"RIFF\0\0\0\0WAVE", "it is an audio file"),
        (b"PK\3\4" + bytes(600), "is not a checkpoint that can be read: it is cut short"),
        (
            b"\x80\x02cos\nsystem\n.",
            "is not a checkpoint that can be read: it holds code (os.system)",
        ),
        (b"\x80\x02", "is not a checkpoint that can be read"),
        ({"state_dict": {}}, "does not say which model it holds"),
        ([1, 2], "does not say which model it holds"),
        ({KEY: None, "state_dict": {}}, "does not say which model it holds"),
        ({KEY: {"name": "fussy", "options": {}}}, "it holds no weights"),
    ],
)
def test_a_file_that_is_no_checkpoint(
    plugin: Path, content: Any, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, song, out = (plugin.parent / name for name in ("odd.ckpt", "song.wav", "out"))
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    soundfile.write(song, torch.zeros(8), 8000)
    assert main(["separate", str(path), str(song), "-o", str(out)]) == 2
    assert sentence in capsys.readouterr().err
    assert main(["separate", str(path), str(song), "-o", str(out), "--debug"]) == 2
    assert "weights_only=False" not in capsys.readouterr().err


def test_a_constructor_that_refuses_an_option_is_told_with_the_model(plugin: Path) -> None:
    with pytest.raises(ValueError, match=r"^model 'fussy': depth must be at most 6, not 9$"):
        msbench.load("fussy", depth=9)
    with pytest.raises(ValueError, match=r"^model 'fussy' cannot be built with width='five': TypeError: "):
        msbench.load("fussy", width="five")
    with pytest.raises(ValueError, match=r"^model 'fussy' has no option 'widht': it takes targets, "):
        msbench.load("fussy", widht=3)


def test_a_constructor_that_is_broken_is_a_bug(plugin: Path) -> None:
    plugin.write_text(FUSSY.replace("broken: bool = False", "broken: bool = True"))
    with pytest.raises(AttributeError, match="missing_name"):
        msbench.load("fussy", depth=4)


def test_an_option_without_a_default_has_to_be_given(plugin: Path) -> None:
    plugin.write_text(FUSSY.replace("self, targets: list[str]", "self, size: int, targets: list[str]"))
    with pytest.raises(ValueError, match=r"model 'fussy' needs the option 'size', which has no default: give it"):
        msbench.load("fussy")


def test_any_ending_serves_and_a_folder_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    path.rename(path.with_name("model.pt"))
    assert msbench.load("model.pt").registered == {"name": "fussy", "options": {"width": 5}}
    with pytest.raises(ValueError, match=r"is a folder: give a checkpoint in it, such as .*best.ckpt"):
        msbench.load(str(path.parent))


def test_a_model_is_saved_as_training_saves_it(tmp_path: Path) -> None:
    from msbench.training.module import SeparationModule

    model = msbench.load("unet", depth=3, filters=2)
    path = tmp_path / "new" / "weights.ckpt"
    msbench.save(model, path)
    module = SeparationModule(model)
    written: dict[str, Any] = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(written)
    content = torch.load(path, weights_only=True)
    assert content[KEY] == written[KEY]
    assert content["state_dict"].keys() == written["state_dict"].keys()
    again = msbench.load(path)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in again.state_dict().items())
    assert list(path.parent.iterdir()) == [path]


def test_a_model_without_a_name_is_not_saved(tmp_path: Path) -> None:
    model = type(msbench.load("unet"))(depth=3)
    with pytest.raises(ValueError, match=r"this UNet was not built by name: build it with msbench.load\(NAME, ...\)"):
        msbench.save(model, tmp_path / "weights.ckpt")
    assert not list(tmp_path.iterdir())
