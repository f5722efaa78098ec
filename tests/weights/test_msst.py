"""Checkpoints of ZFTurbo's collection: a network of the package msst, its state dict, and the YAML beside it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from torch import nn

import msbench
from msbench.weights import catalogue, fetching, published
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer
from tests.weights.publisher import Publisher, register

SOURCE = "from msbench_plugins.weights.msst import convert\n"
SIZES = {"dim": 16, "depth": 1, "stereo": True, "time_transformer_depth": 1, "freq_transformer_depth": 1, "dim_head": 8}
SIZES |= {"heads": 2, "stft_n_fft": 256, "stft_win_length": 256, "stft_hop_length": 64, "attn_dropout": 0.1}
BANDS = (4, 20, 40, 65)
AUDIO = {"chunk_size": 4000, "sample_rate": 8000, "num_channels": 2, "n_fft": 256, "hop_length": 32, "dim_f": 96}
MDX23C = {"norm": "InstanceNorm", "act": "gelu", "scale": [2, 2], "num_subbands": 3, "num_scales": 2, "growth": 3}
MDX23C |= {"num_blocks_per_scale": 1, "num_channels": 4, "bottleneck_factor": 2}
SCNET = {"dims": [4, 4, 8], "nfft": 128, "hop_size": 32, "win_size": 128, "num_dplayer": 2, "audio_channels": 2}
SCNET |= {"band_SR": [0.175, 0.392, 0.433], "band_stride": [1, 4, 16], "band_kernel": [3, 4, 16], "normalized": True}
SCNET |= {"sources": ["vocals", "other"]}


def network(name: str, model: dict[str, Any], stems: int) -> nn.Module:
    torch.manual_seed(0)
    if name == "tfc_tdf":
        training = SimpleNamespace(target_instrument=None, instruments=["a"] * stems)
        config = SimpleNamespace(audio=SimpleNamespace(**AUDIO), model=SimpleNamespace(**model), training=training)
        made: nn.Module = peer("msst.models.mdx23c_tfc_tdf_v3").TFC_TDF_net(config)
    elif name == "scnet":
        made = peer("msst.models.scnet").SCNet(**model)
    else:
        kind = {"bs_roformer": "BSRoformer", "mel_band_roformer": "MelBandRoformer"}[name]
        options = {"match_input_audio_length": True} if name == "mel_band_roformer" else {}
        made = getattr(peer("msst.models.bs_roformer"), kind)(**model, num_stems=stems, **options)
    with torch.no_grad():
        for parameter in made.eval().parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return made


@pytest.mark.parametrize(
    ("name", "model", "targets", "key"),
    [
        ("bs_roformer", {**SIZES, "freqs_per_bands": BANDS, "mask_estimator_depth": 2}, ["vocals"], "state_dict"),
        ("mel_band_roformer", {**SIZES, "num_bands": 12, "sample_rate": 8000}, ["vocals", "other"], None),
        ("tfc_tdf", MDX23C, ["vocals", "other"], "state"),
        ("scnet", SCNET, ["vocals", "other"], "model_state_dict"),
    ],
)
def test_the_outputs_of_the_package(
    publisher: Publisher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    model: dict[str, Any],
    targets: list[str],
    key: str | None,
) -> None:
    theirs = network(name, model, len(targets))
    state = theirs.state_dict()
    torch.save(state if key is None else {key: state, "epoch": 3, "best_metric": 9.7}, tmp_path / "a.ckpt")
    training = {"instruments": ["vocals", "other"], "target_instrument": "vocals" if len(targets) == 1 else None}
    config = {"audio": AUDIO, "model": model, "training": training, "inference": {"num_overlap": 2}}
    publisher.files["a.ckpt"] = (tmp_path / "a.ckpt").read_bytes()
    publisher.files["a.yaml"] = yaml.dump(config).encode()  # with the tags of tuples, as the published ones have them
    assert (b"!!python/tuple" in publisher.files["a.yaml"]) == (name == "bs_roformer")
    files = [{"url": f"{publisher.address}/a.ckpt"}, publisher.file("a.yaml")]
    about = {"model": name, "files": files, "targets": targets, "sample_rate": 8000}
    register(tmp_path / "site", monkeypatch, {"tiny": about}, SOURCE)
    fetching.fetch(catalogue.find("tiny"))
    assert published.load("tiny").weights_name == "tiny"  # though nobody publishes a hash of its first file
    ours = msbench.load_weights("tiny").eval()
    assert (ours.targets, ours.sample_rate, ours.chunk_samples) == (targets, 8000, 4000)
    mixture = noise(1, 2, 32 * 19)
    with torch.no_grad():
        expected = theirs(mixture).reshape(1, len(targets), 2, -1)
        assert largest_difference(ours(mixture), expected) < 1e-4


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model": {"dims": [4]}}, "is of no network that msbench has: it has BS-RoFormer"),
        ([1], "is of no network that msbench has"),
        ({"model": SCNET, "training": {"model_type": "scnet_tran"}}, r"no network that msbench has \(scnet_tran\)"),
        ({"model": {"num_bands": 60, "ff_mult": 4}}, "has the field 'ff_mult', which that of msbench has not"),
        ({"model": {**SCNET, "band_kernel": [3, 4, 8]}}, r"band_kernel=\[3, 4, 8\], and that of msbench \[3, 4, 16\]"),
        ({"model": {**SCNET, "audio_channels": 1}}, r"dims\[0\]=4, and that of msbench twice its audio_channels"),
        ({"model": {"num_bands": 60, "use_pope": True}}, "use_pope=True, and that of msbench False"),
        ({"model": {"num_bands": 60, "depth": 2}}, "lacks the field dim"),
        ({"model": {**MDX23C, "norm": "BatchNorm"}}, "norm='BatchNorm'"),
        ({"model": MDX23C}, "lacks the field n_fft"),
        (
            {"model": MDX23C, "audio": AUDIO, "inference": {"normalize": True}},
            "asks for a normalization of each song, which tfc_tdf does not make",
        ),
    ],
)
def test_what_ours_cannot_hold(tmp_path: Path, config: Any, said: str) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.ckpt")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=said):
        published.load(catalogue.find("mel_band_roformer_kj"), [tmp_path / "a.ckpt", tmp_path / "a.yaml"])


def test_scnet_masked_is_told_by_its_weights(tmp_path: Path) -> None:
    torch.save({"pos_embed_f": torch.zeros(1)}, tmp_path / "a.ckpt")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"model": SCNET}))
    with pytest.raises(ValueError, match="is of SCNet Masked, a network that msbench has not"):
        published.load(catalogue.find("scnet_xl"), [tmp_path / "a.ckpt", tmp_path / "a.yaml"])


@pytest.mark.parametrize("normalize", [False, True])
def test_how_a_song_is_given_to_scnet(tmp_path: Path, normalize: bool) -> None:
    """The length of the chunks is that of `inference` before that of `audio`, as in `demix` there."""
    torch.save(network("scnet", SCNET, 2).state_dict(), tmp_path / "a.ckpt")
    config = {"model": SCNET, "audio": AUDIO, "training": {"instruments": ["vocals", "other"]}}
    config["inference"] = {"chunk_size": 3000, "normalize": normalize, "num_overlap": 4}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(config))
    held = published.load(catalogue.find("scnet_xl"), [tmp_path / "a.ckpt", tmp_path / "a.yaml"])
    made = held.separator()
    assert (made.chunk_samples, made.normalizes_songs) == (3000, normalize)


def test_an_object_in_the_yaml_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.ckpt")
    (tmp_path / "a.yaml").write_text("model: !!python/object/apply:os.system [touch canary]\n")
    with pytest.raises(ValueError, match=r"a\.yaml is not YAML: line 1"):
        published.load(catalogue.find("mel_band_roformer_kj"), [tmp_path / "a.ckpt", tmp_path / "a.yaml"])
    assert not Path("canary").exists()
