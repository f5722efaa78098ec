"""Separation in chunks must be the separation of the whole, whatever the length, rate, channels and way in."""

import numpy as np
import pytest
import torch
from torch import nn

from msbench.audio.streams import resampled
from msbench.model.separator import Separator, SpectrogramSeparator
from msbench.model.stft import resample
from msbench.separation.chunks import ChunkPlan
from msbench.separation.inference import Inference
from msbench.separation.input_stream import InputStream
from msbench.separation.joining import joined
from msbench.separation.pipeline import separate, separate_blocks

RATE = 1000


class Identity(Separator):
    """Each target is the mixture; says how it was called."""

    def __init__(self, channels=2, sample_rate=RATE, targets=("vocals", "rest")):
        super().__init__(targets, sample_rate, channels)
        self.shapes = []

    def forward(self, mixture):
        self.shapes.append(tuple(mixture.shape))
        return mixture.unsqueeze(1).repeat(1, len(self.targets), 1, 1)


class Conv(Separator):
    """A nonlinear network that sees 31 samples to each side."""

    def __init__(self, channels=2, sample_rate=RATE):
        super().__init__(["vocals", "rest"], sample_rate, channels)
        self.net = nn.Sequential(
            nn.Conv1d(channels, 8, 21, padding=10),
            nn.Tanh(),
            nn.Conv1d(8, 2 * channels, 43, padding=21),
        )

    def forward(self, mixture):
        return self.net(mixture).unflatten(1, (2, -1))


class Strided(Separator):
    """Down by 7 and up again: right only if each chunk starts on the grid."""

    stride_samples = 7

    def __init__(self):
        super().__init__(["vocals"], RATE, 1)
        self.down, self.up = nn.Conv1d(1, 16, 21, stride=7), nn.ConvTranspose1d(16, 1, 21, stride=7)

    def forward(self, mixture):
        time = mixture.shape[-1]
        padded = nn.functional.pad(mixture, (14, 14 + -time % 7))
        return self.up(self.down(padded).relu())[..., 14 : 14 + time].unsqueeze(1)


class Mask(SpectrogramSeparator):
    """A fixed mask that differs in each bin."""

    def __init__(self, channels=2):
        super().__init__(["low", "high"], RATE, channels, 64, 16)
        low = torch.linspace(1, 0, self.stft.bins)
        self.register_buffer("masks", torch.stack([low, 1 - low])[:, None, :, None])

    def mask(self, spectrogram):
        return self.masks.expand(len(spectrogram), -1, spectrogram.shape[1], -1, spectrogram.shape[-1])


class Ratio(SpectrogramSeparator):
    """An oracle: the ideal ratio mask."""

    needs_references = True

    def __init__(self, channels=2):
        super().__init__(["a", "b"], RATE, channels, 64, 16)

    def forward(self, mixture, references):
        power = self.stft(references).abs() ** 2
        mask = power / (power.sum(1, keepdim=True) + 1e-9)
        return self.stft.inverse(mask * self.stft(mixture).unsqueeze(1), mixture.shape[-1])


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32))


def tones(rate, seconds, channels=2):
    """Below 300 Hz, faded in and out: what passes through every rate here unharmed."""
    time = np.arange(round(rate * seconds)) / rate
    wave = [np.sin(2 * np.pi * f * time) for f in (97, 211, 293)[:channels]]
    return torch.from_numpy((np.array(wave) * np.sin(np.pi * time / seconds) ** 2).astype(np.float32))


def whole(model, mixture):
    with torch.inference_mode():
        return dict(zip(model.targets, model(mixture[None])[0], strict=True))


def worst(estimates, references):
    assert list(estimates) == list(references)
    return max(float((estimates[target] - references[target]).abs().max()) for target in references)


@pytest.mark.parametrize("overlap", [0, 0.01, 0.25, 0.33, 0.5])
@pytest.mark.parametrize("time", [1, 2, 99, 100, 101, 149, 150, 151, 175, 200, 997, 1000, 2003])
def test_identity_gives_the_mixture_exactly(time, overlap):
    mixture = noise(2, time)
    for stride in (1, 7, 64):
        model = Identity()
        model.stride_samples = stride
        estimates = separate(model, mixture, RATE, chunk_seconds=0.1, overlap=overlap, batch_size=3)
        assert list(estimates) == ["vocals", "rest"]
        assert all(torch.equal(estimate, mixture) for estimate in estimates.values())


@pytest.mark.parametrize("time", [257, 600, 601, 999, 1000, 2003])
@pytest.mark.parametrize("model", [Conv(), Strided(), Mask()], ids=lambda model: type(model).__name__)
def test_chunked_is_whole(model, time):
    mixture = noise(model.channels, time)
    for seconds, overlap in ((0.6, 0.5), (0.551, 0.49), (1.0, 0.3)):
        estimates = separate(model, mixture, RATE, chunk_seconds=seconds, overlap=overlap)
        assert worst(estimates, whole(model, mixture)) < 2e-6


def test_without_overlap_the_context_is_missed():
    model, mixture = Conv(), noise(2, 2003)
    assert worst(separate(model, mixture, RATE, chunk_seconds=0.6, overlap=0), whole(model, mixture)) > 1e-3


def test_oracle_chunked_is_whole():
    model, references = Ratio(), noise(2, 2, 2003)
    mixture = references.sum(0)
    with torch.inference_mode():
        expected = dict(zip("ab", model(mixture[None], references[None])[0], strict=True))
    estimates = separate(model, mixture, RATE, chunk_seconds=0.6, overlap=0.5, references=references, batch_size=2)
    assert worst(estimates, expected) < 1e-4
    assert worst(separate(model, mixture, RATE, references=references), expected) < 1e-6


class Loudness(Separator):
    """One that has to hear the whole song: the mixture at a peak of one."""

    chunking = "song"

    def __init__(self, sample_rate=RATE):
        super().__init__(["vocals"], sample_rate, 2)

    def forward(self, mixture):
        return (mixture / mixture.abs().amax((1, 2), keepdim=True)).unsqueeze(1)


@pytest.mark.parametrize("time", [1, 999, 30_000])
def test_a_model_of_songs_is_given_the_whole(time):
    mixture = noise(2, time)
    found = separate(Loudness(), mixture, RATE, chunk_seconds=0.1, overlap=0.5, batch_size=3)
    assert worst(found, whole(Loudness(), mixture)) == 0
    assert float(mixture.abs().max()) < 1  # and the input is as it was


def test_a_model_of_songs_at_another_rate_is_given_the_whole():
    mixture = tones(2 * RATE, 20)
    found = separate(Loudness(), mixture, 2 * RATE)["vocals"]
    assert found.shape == mixture.shape
    assert float((found - mixture / mixture.abs().max()).abs().max()) < 1e-3


def test_a_song_that_does_not_fit_into_memory_is_refused(monkeypatch):
    """It needs 4 x 4 bytes for each sample of two channels in and two out: 64 kB a second at 1 kHz."""
    monkeypatch.setattr("msbench.separation.pipeline.free_bytes", lambda: 1_000_000)
    separate(Loudness(), noise(2, 15 * RATE), RATE)
    for seconds in (20, None):  # known beforehand or not
        blocks = iter([noise(2, 10 * RATE).numpy(), noise(2, 10 * RATE).numpy()])
        stream = InputStream(blocks, RATE, 2, seconds, name="long.wav")
        with pytest.raises(ValueError, match=r"Loudness takes a song whole, and long.wav of 20 s needs some 0.0 GB"):
            list(separate_blocks(Loudness(), stream))
        assert len(list(blocks)) == (1 if seconds else 0)  # refused as soon as it is known


def test_oracle_references_are_adapted_as_the_mixture():
    """Mono oracle at another rate, disjoint stems: it must find them, so they met it resampled and one by one."""
    stems = torch.stack([tones(4000, 1.5), tones(4000, 1.5).flip(0) * 0])
    estimates = separate(Ratio(channels=1), stems.sum(0), 4000, chunk_seconds=0.6, references=stems)
    assert worst(estimates, {"a": stems[0], "b": stems[1]}) < 1e-3


def test_oracle_without_references():
    with pytest.raises(ValueError, match="needs the true stems"):
        separate(Ratio(), noise(2, 100), RATE)


def test_batch_size_changes_nothing():
    model, mixture = Conv(), noise(2, 5003)
    one = separate(model, mixture, RATE, chunk_seconds=0.6)
    for batch_size in (2, 3, 100):
        assert worst(separate(model, mixture, RATE, chunk_seconds=0.6, batch_size=batch_size), one) < 1e-6


def test_chunks_have_one_shape():
    model = Identity()
    separate(model, noise(2, 5003), RATE, chunk_seconds=0.6, batch_size=1)
    assert set(model.shapes) == {(1, 2, 600)}
    separate(model, noise(2, 599), RATE, chunk_seconds=0.6)
    assert model.shapes[-1] == (1, 2, 599)


def test_weights_of_a_join():
    """Chunk k is all k: an estimate then shows the weights. A quarter of the overlap is left out at each side."""
    plan = ChunkPlan.of(Identity(), 0.1, 0.4)
    assert (plan.step, plan.overlap, plan.size) == (60, 40, 100)
    both = np.concatenate(list(joined([(0, np.zeros(100)), (60, np.ones(100))], plan)))
    assert len(both) == 160
    assert not both[:70].any()
    assert both[90:].min() == 1
    assert (np.diff(both[69:91]) > 0).all()
    np.testing.assert_allclose(both[70:90] + both[89:69:-1], 1, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("model_rate", [8192, 44100])
def test_any_rate(rate, model_rate):
    for samples in (1, 997):
        estimates = separate(Identity(sample_rate=model_rate), noise(2, samples), rate)
        assert estimates["vocals"].shape == (2, samples)
    mixture = tones(rate, 0.8)
    estimates = separate(Identity(sample_rate=model_rate), mixture, rate, chunk_seconds=0.25)
    assert estimates["vocals"].shape == mixture.shape
    assert worst(estimates, {"vocals": mixture, "rest": mixture}) < 1e-3


@pytest.mark.parametrize(("rate", "to"), [(44100, 8192), (8192, 44100), (48000, 44100)])
def test_resampled_stream_is_the_resampled_whole(rate, to):
    signal = noise(2, 20011).numpy()
    for size in (37, 4096, 20011):
        blocks = [signal[:, start : start + size] for start in range(0, signal.shape[1], size)]
        np.testing.assert_array_equal(np.concatenate(list(resampled(blocks, rate, to)), 1), resample(signal, rate, to))


def test_mono_model_takes_each_channel_by_itself():
    model, mixture = Conv(channels=1), noise(3, 1500)
    estimates = separate(model, mixture, RATE, chunk_seconds=0.6, overlap=0.5, batch_size=2)
    for channel in range(3):
        expected = whole(model, mixture[channel : channel + 1])
        assert worst({t: e[channel : channel + 1] for t, e in estimates.items()}, expected) < 2e-6


def test_stereo_model_takes_mono_twice():
    model, mixture = Conv(channels=2), noise(1500)
    estimates = separate(model, mixture, RATE, chunk_seconds=0.6, overlap=0.5)
    expected = whole(model, torch.stack([mixture, mixture]))
    assert worst(estimates, {t: e.mean(0, keepdim=True) for t, e in expected.items()}) < 2e-6
    assert worst(separate(model, mixture.numpy()[None], RATE, chunk_seconds=0.6, overlap=0.5), estimates) == 0


def test_channels_that_do_not_fit():
    with pytest.raises(ValueError, match="works on 2 channels and the audio has 6: mix it to 1 or 2 channels first"):
        separate(Identity(), noise(6, 100), RATE)
    with pytest.raises(ValueError, match="works on 4 channels and the audio has 1: mix it to 4 channels"):
        separate(Identity(channels=4), noise(1, 100), RATE)


def test_mode_is_restored_part_by_part():
    model = Conv()
    model.train()
    model.net[1].eval()
    separate(model, noise(2, 100), RATE)
    assert model.training
    assert model.net[0].training
    assert not model.net[1].training
    with pytest.raises(ValueError, match="NaN"):
        separate(model, noise(2, 100) * torch.nan, RATE)
    assert model.training


def test_estimates_can_be_trained_on():
    """They are no inference tensors, which autograd refuses."""
    weight = torch.ones(1, requires_grad=True)
    (separate(Conv(), noise(2, 100), RATE)["vocals"] * weight).sum().backward()
    assert weight.grad is not None


def test_progress():
    calls = []
    separate(Identity(), noise(2, 2500), RATE, chunk_seconds=0.5, progress=lambda *call: calls.append(call))
    done = [seconds for seconds, _ in calls]
    assert len(calls) > 4
    assert done == sorted(done)
    assert {total for _, total in calls} == {2.5}
    assert done[-1] == 2.5


def test_input_is_taken_as_it_is_needed():
    taken = 0

    def blocks():
        nonlocal taken
        for _ in range(1000):
            taken += 100
            yield noise(2, 100).numpy()

    given = 0
    for block in separate_blocks(Identity(), InputStream(blocks(), RATE, 2), Inference(chunk_seconds=0.5)):
        given += block["vocals"].shape[-1]
        assert taken - given <= 1600  # never more than about three chunks ahead
    assert given == taken == 100_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"overlap": 0.951}, "overlap is a share of a chunk between 0 and 0.95, not 0.951"),
        ({"overlap": -0.1}, "between 0 and 0.95"),
        ({"overlap": float("nan")}, "between 0 and 0.95"),
        ({"chunk_seconds": 0}, "chunk_seconds must be above 0"),
        ({"chunk_seconds": float("inf")}, "chunk_seconds must be above 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"sample_rate": 0}, "sample_rate must be at least 1, not 0"),
        ({"mixture": torch.zeros(2, 0)}, "at least one sample, not \\(2, 0\\)"),
        ({"mixture": torch.zeros(2, 2, 100)}, "must be \\(C, T\\)"),
        ({"mixture": torch.zeros(1000, 2)}, "transpose it to \\(C, T\\)"),
        ({"mixture": np.zeros((2, 100), np.int16)}, "must be floating point with a full scale of one, not int16"),
        ({"mixture": torch.full((2, 100), torch.inf)}, "NaN or infinite samples, the first at 0.000 s"),
    ],
)
def test_bad_arguments(change, message):
    arguments = {"mixture": noise(2, 100), "sample_rate": RATE, **change}
    with pytest.raises(ValueError, match=message):
        separate(Identity(), **arguments)


def test_bad_references():
    with pytest.raises(ValueError, match="do not fit"):
        separate(Ratio(), noise(2, 100), RATE, references=noise(2, 2, 99))
    with pytest.raises(ValueError, match="the references must be \\(2, C, T\\)"):
        separate(Ratio(), noise(2, 100), RATE, references=noise(3, 2, 100))


def test_broken_weights():
    model = Conv()
    nn.init.constant_(model.net[0].weight, torch.nan)
    with pytest.raises(ValueError, match=r"Conv gave NaN or infinite samples from 0\.0 s on"):
        separate(model, noise(2, 100), RATE)


def test_a_chunk_holds_a_stride():
    model = Identity()
    model.stride_samples = 700
    mixture = noise(2, 3001)
    assert torch.equal(separate(model, mixture, RATE, chunk_seconds=0.1)["vocals"], mixture)
    assert model.shapes[0] == (1, 2, 725)


@pytest.mark.parametrize("time", [1, 399, 400, 401, 1000, 3001])
@pytest.mark.parametrize(("size", "stride"), [(400, 1), (400, 64), (410, 100)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_a_model_for_one_length_is_given_that_length(time, size, stride, overlap):
    model = Identity()
    model.chunk_samples, model.stride_samples = size, stride
    mixture = noise(2, time)
    assert torch.equal(separate(model, mixture, RATE, chunk_seconds=0.1, overlap=overlap)["vocals"], mixture)
    assert {shape[-1] for shape in model.shapes} == {size}


def test_a_chunk_below_a_stride_is_refused():
    model = Identity()
    model.chunk_samples, model.stride_samples = 10, 64
    with pytest.raises(ValueError, match="chunks of 10 samples cannot start at multiples of 64"):
        separate(model, noise(2, 100), RATE)


def test_other_number_types_and_layouts():
    mixture = noise(2, 300)
    for other in (mixture.double(), mixture.numpy()[:, ::-1][:, ::-1], mixture.numpy().copy("F")):
        assert torch.equal(separate(Identity(), other, RATE)["vocals"], mixture)
