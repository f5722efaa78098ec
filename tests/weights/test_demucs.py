"""Demucs: files that the authors' package writes, and the outputs of its networks."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import nn

import msbench
from msbench.cli.app import main
from msbench.weights import catalogue, fetching, published
from tests.plugins.test_conv_tasnet import MUSIC, SMALL
from tests.plugins.test_conv_tasnet import tasnet as conv_tasnet
from tests.plugins.test_demucs import published as branch
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer
from tests.weights.publisher import Publisher, register

TARGETS = ["drums", "bass", "other", "vocals"]
SOURCE = "from msbench_plugins.weights.demucs import convert\n"
TRANSFORMER = {
    "channels": 16,
    "nfft": 256,
    "depth": 2,
    "t_heads": 4,
    "bottom_channels": 16,
    "t_layers": 3,
    "dconv_mode": 3,
}
HYBRID = {"channels": 16, "nfft": 64, "depth": 4, "norm_starts": 1, "dconv_attn": 1, "dconv_lstm": 1, "segment": 4}
TIME = {"channels": 8, "depth": 5, "segment": 4}
KINDS = {"hybrid": ("hdemucs", "HDemucs"), "transformer": ("htdemucs", "HTDemucs"), "time": ("demucs", "Demucs")}
BANDS = {"nfft": 1024, "depth": 5, "norm_starts": 999, "dconv_attn": 3, "dconv_lstm": 3, "multi_freqs": [0.1, 0.3]}

pytestmark = pytest.mark.usefixtures("one_thread")


def network(kind: str, seed: int = 0, **options: Any) -> nn.Module:
    """A network of the package, with weights that half precision holds."""
    torch.manual_seed(seed)
    module, name = KINDS[kind]
    made = getattr(peer(f"demucs.{module}"), name)(TARGETS, **options).eval()
    for key, parameter in made.named_parameters():
        if key.endswith("scale"):  # at their first values, branches and transformer would hardly be heard
            nn.init.uniform_(parameter, 0.2, 1)
    made.load_state_dict({key: value.half() for key, value in made.state_dict().items()})
    return made


def package(made: nn.Module, **changes: Any) -> dict[str, Any]:
    """What `serialize_model` of demucs/states.py gives, and tools/export.py adds; OmegaConf apart."""
    args, kwargs = made._init_args_kwargs
    state = {key: value.half() for key, value in made.state_dict().items()}
    whole = {"klass": type(made), "args": args, "kwargs": dict(kwargs), "state": state}
    whole |= {"training_args": {"epochs": 360, "dset": {"musdb": "x"}}, "metrics": (None, {"nsdr": 7.0})}
    return whole | changes


def publish(publisher: Publisher, folder: Path, name: str, content: Any) -> None:
    """As tools/export.py --sign does: the first digits of the SHA-256 are in the file's name."""
    folder.mkdir(exist_ok=True)
    peer("demucs.states").save_with_checksum(content, folder / f"{name}.th")
    (path,) = folder.glob(f"{name}-*.th")
    publisher.files[name] = path.read_bytes()


def catalog(publisher: Publisher, names: list[str], **fields: Any) -> dict[str, Any]:
    files = [publisher.file(name, 8) for name in names]
    return {"model": "htdemucs", "files": files, "targets": TARGETS, "sample_rate": 44100, **fields}


@pytest.mark.parametrize(
    ("kind", "options", "kwargs"),
    [
        ("transformer", {**TRANSFORMER, "use_train_segment": False}, {"segment": Fraction(39, 5)}),
        ("transformer", {**TRANSFORMER, "dconv_mode": 1, "bottom_channels": 0, "use_train_segment": False}, {}),
        ("hybrid", HYBRID, {}),
        ("hybrid", {**HYBRID, "cac": False, "end_iters": 0, "multi_freqs": []}, {}),
        ("hybrid", {**HYBRID, "cac": False, "hybrid_old": True, "norm_starts": 999}, {}),
        ("hybrid", {**HYBRID, **BANDS}, {}),
        ("time", TIME, {}),
        ("time", {**TIME, "rewrite": False, "lstm_layers": 1}, {}),
    ],
)
def test_the_outputs_of_the_package(
    publisher: Publisher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    options: dict[str, Any],
    kwargs: dict[str, Any],
) -> None:
    theirs = network(kind, **options)
    content = package(theirs)
    content["kwargs"] |= kwargs
    publish(publisher, tmp_path / "out", "a", content)
    register(tmp_path / "site", monkeypatch, {"tiny": catalog(publisher, ["a"])}, SOURCE)
    fetching.fetch(catalogue.find("tiny"))
    ours = msbench.load_weights("tiny").eval()
    mixture = noise(1, 2, 1500) + 0.05
    with torch.no_grad():
        assert largest_difference(ours(mixture), theirs(mixture)) < 1e-4


def test_chunks_are_as_long_as_the_file_says(publisher: Publisher, tmp_path: Path) -> None:
    content = package(network("transformer", **TRANSFORMER, segment=Fraction(1, 10)))
    publish(publisher, tmp_path / "out", "a", content)
    (path,) = (tmp_path / "out").iterdir()
    held = published.load(catalogue.find("htdemucs"), [path])
    assert held.separator().chunk_samples == 4410
    assert (held.weights_name, held.training, held.licence) == (None, None, None)  # it is another file


BAGS = {
    "htdemucs": [("transformer", {**TRANSFORMER, "segment": Fraction(1, 10)})],
    "mdx_extra": [("hybrid", {**HYBRID, "cac": False}), ("hybrid", {**HYBRID, "cac": False, "hybrid_old": True})],
    "repro_mdx_a_time_only": [("time", TIME), ("time", TIME)],
    "mdx": [("time", {**TIME, "rewrite": False}), ("hybrid", HYBRID)],
}


@pytest.mark.parametrize("bag", BAGS)
def test_a_song_through_both_command_lines(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bag: str
) -> None:
    """Theirs normalizes the song before it is cut: at half silence and an offset, that is heard."""
    monkeypatch.chdir(tmp_path)
    names = [f"a{number}" for number in range(len(BAGS[bag]))]
    for seed, (name, (kind, options)) in enumerate(zip(names, BAGS[bag], strict=True)):
        publish(publisher, Path("repo"), name, package(network(kind, seed, **options)))
    about, signature = catalog(publisher, names), names[0]
    if len(names) > 1:
        mix = [[1.0, 1.0, 0.0, 2.0], [1.0, 0.0, 1.0, 1.0]]
        about |= {"mix": mix, "chunk_seconds": 0.2}
        signature = "bag"
        Path("repo/bag.yaml").write_text(f"models: {names}\nweights: {mix}\nsegment: 0.2\n")
    register(tmp_path / "site", monkeypatch, {"tiny": about}, SOURCE)
    song = 0.1 * noise(2, 15_001) + 0.005
    song[:, 5000:] *= 0.1
    soundfile.write("song.wav", song.T.numpy(), 44100, subtype="FLOAT")
    theirs = ["--repo", "repo", "-n", signature, "-d", "cpu", "--shifts", "0", "--float32", "-o", "theirs", "song.wav"]
    peer("demucs.separate").main(theirs)
    assert main(["separate", "tiny", "song.wav", "-o", "ours", "--device", "cpu", "--window", "triangle"]) == 0
    for target in TARGETS:
        expected, _ = soundfile.read(f"theirs/{signature}/song/{target}.wav")
        found, _ = soundfile.read(f"ours/song/{target}.wav")
        assert abs(found - expected).max() < 1e-5
    model = msbench.load_weights("tiny")
    assert all(each.normalizes_songs for each in model.combines() or [model])


def test_a_bag_is_averaged_as_by_the_package(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = [[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 3.0]]
    networks = [network("hybrid", seed, **HYBRID) for seed in (0, 1)]
    for name, each in zip("ab", networks, strict=True):
        publish(publisher, tmp_path / "out", name, package(each))
    fields = {"mix": mix, "chunk_seconds": 3, "trained_on": {"datasets": {"musdb18hq": ["train"]}}}
    register(tmp_path / "site", monkeypatch, {"bag": catalog(publisher, ["a", "b"], **fields)}, SOURCE)
    fetching.fetch(catalogue.find("bag"))
    held = published.load("bag")
    ours = held.separator().eval()
    assert ours.chunk_samples == 3 * 44100
    assert (held.name, held.weights_name, held.training and held.training["splits"]) == (
        "bag", "bag", {"musdb18hq": ["train"]},
    )  # fmt: skip
    apply = peer("demucs.apply")
    mixture = noise(1, 2, 1500)
    theirs = apply.apply_model(apply.BagOfModels(networks, mix), mixture, shifts=0, split=False)
    with torch.no_grad():
        assert largest_difference(ours(mixture), theirs) < 1e-4


def test_version_2_gives_the_outputs_of_its_branch(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and shapes are those of demucs/model.py at 8c34a99; a song is normalized before the network."""
    torch.manual_seed(0)
    options = {"filters": 4, "depth": 4, "sample_rate": 8000, "targets": TARGETS}
    made = msbench.load("demucs", **options, normalize="song", padded=False)
    theirs = {"down.": "encoder.", "up.": "decoder.", "lstm.": "lstm.lstm.", "linear.": "lstm.linear."}
    state = {}
    for key, value in made.state_dict().items():
        part = next((part for part in theirs if key.startswith(part)), None)
        if part is not None:  # else the filters of the resampling, which a function makes there
            state[theirs[part] + key.removeprefix(part)] = value
    torch.save(state, tmp_path / "a.th")
    publisher.files["a.th"] = (tmp_path / "a.th").read_bytes()
    about = {**catalog(publisher, ["a.th"]), "model": "demucs", "sample_rate": 8000}
    register(tmp_path / "site", monkeypatch, {"tiny": about}, SOURCE)
    fetching.fetch(catalogue.find("tiny"))
    ours, song = msbench.load_weights("tiny"), 3 * noise(2, 9999) + 0.05
    stems = msbench.separate(ours, song, 8000, chunk_seconds=2.0)  # of which the song is shorter
    with torch.no_grad():
        expected = branch(made.eval(), song, "v2")[0]
    assert largest_difference(torch.stack([stems[target] for target in TARGETS]), expected) < 1e-4
    torch.save({"lstm.lstm.weight_ih_l0": torch.zeros(1)}, tmp_path / "b.th")
    with pytest.raises(ValueError, match="lacks a layer of Demucs's version 2"):
        published.load(catalogue.find("demucs48_hq"), [tmp_path / "b.th"])


TASNET = {  # names of `conv_tasnet` and of demucs/tasnet.py at 8c34a99; where a block begins, its number stands apart
    r"encoder\.": "encoder.conv1d_U.",
    r"bottleneck\.0\.": "separator.network.0.",
    r"bottleneck\.1\.": "separator.network.1.",
    r"mask\.1\.": "separator.network.3.",
    r"decoder\.": "decoder.basis_signals.",
    r"body\.([012])\.": r"net.\1.",
    r"body\.3\.": "net.3.net.0.",
    r"body\.4\.": "net.3.net.1.",
    r"body\.5\.": "net.3.net.2.",
    r"residual\.": "net.3.net.3.",
}


def state_of_tasnet(made: nn.Module) -> dict[str, torch.Tensor]:
    """As demucs/tasnet.py of version 2 has it."""
    state = {}
    for key, own in made.state_dict().items():
        value = own.flatten(1).t() if key == "decoder.weight" else own
        block = re.match(r"blocks\.(\d+)\.", key)
        rest = key[block.end() :] if block else key
        pattern = next(each for each in TASNET if re.match(each, rest))
        name = re.sub("^" + pattern, TASNET[pattern], rest)
        if re.search(r"^(bottleneck\.0|.*body\.[25])\.", key):
            name = name.replace("weight", "gamma").replace("bias", "beta")
            value = own[None, :, None]
        if block:
            name = "separator.network.2.{}.{}.".format(*divmod(int(block[1]), SMALL["blocks"])) + name
        state[name] = value
    return state


class OfVersion2(nn.Module):
    """Conv-TasNet as `apply_model` wants it, which cuts in version 2 as in 4.1."""

    def __init__(self, ours: Any) -> None:
        super().__init__()
        self.ours, self.samplerate, self.segment, self.sources = ours, 8000, 1, TARGETS

    def forward(self, mixture: torch.Tensor) -> torch.Tensor:
        return conv_tasnet(self.ours, mixture)


def test_conv_tasnet_gives_the_songs_of_version_2(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The song is normalized as by demucs/separate.py; a half that is quiet and has an offset tells it from chunks."""
    torch.manual_seed(0)
    options = MUSIC | SMALL | {"targets": TARGETS, "sample_rate": 8000, "initialization": "torch"}
    made = msbench.load("conv_tasnet", **options).eval()
    for parameter in made.parameters():
        if parameter.dim() == 1:  # ones and zeros hide where they belong
            parameter.data.uniform_(0.5, 1.5)
    torch.save(state_of_tasnet(made), tmp_path / "a.th")
    publisher.files["a.th"] = (tmp_path / "a.th").read_bytes()
    about = {**catalog(publisher, ["a.th"]), "model": "conv_tasnet", "sample_rate": 8000}
    register(tmp_path / "site", monkeypatch, {"tiny": {**about, "mix": [[1] * 4], "chunk_seconds": 1}}, SOURCE)
    fetching.fetch(catalogue.find("tiny"))
    song = noise(2, 14_999) + 0.05
    song[:, 7000:] *= 0.1
    stems = msbench.separate(msbench.load_weights("tiny"), song, 8000, window="triangle")
    mean, deviation = song.mean(0).mean(), song.mean(0).std()
    mixture = ((song - mean) / deviation)[None]
    expected = peer("demucs.apply").apply_model(OfVersion2(made), mixture, shifts=0)[0] * deviation + mean
    assert largest_difference(torch.stack([stems[target] for target in TARGETS]), expected) < 1e-5
    torch.save({"encoder.conv1d_U.weight": torch.zeros(1)}, tmp_path / "b.th")
    with pytest.raises(ValueError, match="lacks a layer of Conv-TasNet"):
        published.load(catalogue.find("demucs_v2_tasnet"), [tmp_path / "b.th"])


@pytest.mark.parametrize(
    ("options", "changes", "said"),
    [
        ({"hybrid": False}, {}, "hybrid=False, and that of msbench True"),
        ({"cac": False, "wiener_iters": 2, "end_iters": 2}, {}, "wiener_iters=2"),
        ({"multi_freqs": [0.1], "multi_freqs_depth": 3}, {}, "multi_freqs_depth=3"),
        ({"dconv_lstm": 2}, {}, "begin in different layers"),
        ({}, {"state": {"__quantized": True}}, "quantized by diffq"),
        ({}, {"state": 7}, "holds no weights in its state"),
        ({}, {"klass": Fraction}, "holds a network that msbench has not: fractions.Fraction"),
        ({}, {"klass": 7}, "none that it knows"),
        ({}, {"klass": nn.Linear}, r"it holds code \(torch.nn.modules.linear.Linear\), which is not run"),
        ({}, {"state": {"a": 1}}, "holds 'a', which is no tensor with a name"),
    ],
)
def test_what_ours_cannot_hold(tmp_path: Path, options: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    made = network("hybrid", **HYBRID)
    content = package(made, **changes)
    content["kwargs"] |= options
    torch.save(content, tmp_path / "a.th")
    with pytest.raises(ValueError, match=said):
        published.load(catalogue.find("hdemucs_mmi"), [tmp_path / "a.th"])


def test_another_file_of_torch(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.th")
    with pytest.raises(ValueError, match="no file that demucs wrote"):
        published.load(catalogue.find("htdemucs"), [tmp_path / "a.th"])


def test_the_catalog_is_that_of_the_package() -> None:
    """Bags and addresses of the release that is installed."""
    pretrained, yaml = peer("demucs.pretrained"), peer("yaml")
    addresses = pretrained._parse_remote_files(pretrained.REMOTE_ROOT / "files.txt")
    ours = [each for each in catalogue.known().values() if each.family == "demucs" and "8c34a99" not in each.source]
    assert len(ours) == 9
    for weights in ours:
        bag = yaml.safe_load((pretrained.REMOTE_ROOT / f"{weights.name}.yaml").read_text())
        models = list(dict.fromkeys(bag["models"]))
        assert [file.url for file in weights.files] == [addresses[name] for name in models]
        assert [file.sha256 for file in weights.files] == [url[-11:-3] for url in map(addresses.get, models)]
        assert weights.chunk_seconds == bag.get("segment")
        if len(models) > 1:
            assert [list(row) for row in weights.mix] == bag.get("weights", [[1.0] * 4] * len(models))
