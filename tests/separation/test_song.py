"""A file to the files of its stems: as in memory, in every format, with what the input says of itself."""

import tracemalloc

import numpy as np
import pytest
import soundfile
from torch import nn

from msbench.audio.formats import FORMATS
from msbench.separation.batch import separate_files
from msbench.separation.pipeline import separate
from tests.separation.test_pipeline import RATE, Conv, Identity, Ratio, noise, tones


def separated(model, path, out, **options):
    return separate_files(model, [path], out, **options)[path]


@pytest.mark.parametrize(("kind", "error"), [("wav32f", 0), ("flac", 1e-6)])
@pytest.mark.parametrize("more", [{}, {"two_stems": "vocals"}, {"residual": "noise"}])
def test_file_is_as_in_memory(tmp_path, kind, error, more):
    model, mixture = Conv(), noise(2, 44100 * 3 + 1) * 0.4
    soundfile.write(tmp_path / "song.one.wav", mixture.T.numpy(), 44100, subtype="FLOAT")
    options = {"chunk_seconds": 0.5, "overlap": 0.3, "batch_size": 2, **more}
    expected = separate(model, mixture, 44100, **options)
    calls = []
    paths = separated(
        model,
        tmp_path / "song.one.wav",
        tmp_path / "out",
        format=kind,
        **options,
        progress=lambda _: lambda *told: calls.append(told),
    )
    extension = FORMATS[kind].extension
    assert paths == {stem: tmp_path / "out" / "song.one" / f"{stem}.{extension}" for stem in expected}
    assert {*paths.values()} == {*(tmp_path / "out" / "song.one").iterdir()}
    for stem, path in paths.items():
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == 44100
        assert samples.shape == (44100 * 3 + 1, 2)
        assert np.abs(samples.T - expected[stem].numpy()).max() <= error
    assert calls[-1] == (3 + 1 / 44100, 3 + 1 / 44100)


@pytest.mark.parametrize("options", [{}, {"two_stems": "vocals"}])
def test_memory_is_flat_where_a_song_is_read_to_its_end_first(tmp_path, options):
    """Neither it nor its mixture is held until the estimates begin."""
    model, peaks = Identity(), []
    model.normalizes_songs = True
    for seconds in (200, 1000):
        soundfile.write(tmp_path / "song.wav", np.tile(noise(2, RATE).T.numpy() * 0.1, (seconds, 1)), RATE)
        tracemalloc.start()
        separated(model, tmp_path / "song.wav", tmp_path / str(seconds), chunk_seconds=10.0, **options)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("bits", [16, 24])
def test_two_stems_add_up_to_the_mixture(tmp_path, bits):
    soundfile.write(tmp_path / "song.wav", (noise(2, 22050) * 0.5).T.numpy(), 44100, subtype=f"PCM_{bits}")
    for kind, steps in (("wav32f", 0.0), (f"wav{bits}", 2.0 ** (1 - bits))):
        out = tmp_path / kind
        paths = separated(Conv(), tmp_path / "song.wav", out, two_stems="vocals", format=kind, chunk_seconds=0.3)
        mixture, *stems = (
            soundfile.read(path, dtype="float32")[0] for path in (tmp_path / "song.wav", *paths.values())
        )
        assert list(paths) == ["vocals", "no_vocals"]
        assert max(np.abs(stem).max() for stem in stems) < 1
        assert np.abs(stems[0] + stems[1] - mixture).max() <= steps


@pytest.mark.parametrize(("name", "error"), [("a.wav", 1e-4), ("a.flac", 1e-4), ("a.mp3", 0.05), ("a.ogg", 0.05)])
def test_reads_each_format(tmp_path, name, error):
    mixture = tones(22050, 1.7) * 0.5
    soundfile.write(tmp_path / name, mixture.T.numpy(), 22050)
    path = separated(Identity(), tmp_path / name, tmp_path / "out")["vocals"]
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 22050
    assert samples.shape == mixture.T.shape
    assert np.abs(samples.T - mixture.numpy()).max() < error


def test_nothing_clips(tmp_path):
    mixture = noise(2, 1000) * 3
    soundfile.write(tmp_path / "loud.wav", mixture.T.numpy(), RATE, subtype="FLOAT")
    path = separated(Identity(), tmp_path / "loud.wav", tmp_path / "out")["vocals"]
    assert np.array_equal(soundfile.read(path, dtype="float32")[0].T, mixture.numpy())


def test_title_and_artist_are_carried(tmp_path):
    with soundfile.SoundFile(tmp_path / "song.flac", "w", RATE, 2) as song:
        song.title, song.artist = "Lied", "Händel"
        song.write(noise(500, 2).numpy())
    for kind in ("wav32f", "ogg"):
        path = separated(Identity(), tmp_path / "song.flac", tmp_path / kind, format=kind)["rest"]
        with soundfile.SoundFile(path) as stem:
            assert (stem.title, stem.artist) == ("Lied", "Händel")


def test_nan_in_a_file_names_the_file_and_the_time(tmp_path):
    samples = np.zeros((100_000, 2), np.float32)
    samples[75_000, 1] = np.nan
    soundfile.write(tmp_path / "song.wav", samples, 44100, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"song\.wav has NaN or infinite samples, the first at 1\.701 s"):
        separated(Identity(sample_rate=44100), tmp_path / "song.wav", tmp_path / "out", chunk_seconds=0.2)
    assert not (tmp_path / "out").exists()


def test_failure_keeps_an_earlier_result(tmp_path):
    soundfile.write(tmp_path / "song.wav", noise(500, 2).numpy(), RATE)
    model = Conv()
    paths = separated(model, tmp_path / "song.wav", tmp_path / "out")
    before = {path: path.read_bytes() for path in paths.values()}
    nn.init.constant_(model.net[0].weight, np.nan)
    with pytest.raises(ValueError, match="weights are broken"):
        separated(model, tmp_path / "song.wav", tmp_path / "out", force=True)
    assert {path: path.read_bytes() for path in (tmp_path / "out" / "song").iterdir()} == before


def test_bad_option_makes_no_folder(tmp_path):
    soundfile.write(tmp_path / "song.wav", noise(500, 2).numpy(), RATE)
    with pytest.raises(ValueError, match=r"unknown format 'mp4'. Did you mean mp3"):
        separated(Identity(), tmp_path / "song.wav", tmp_path / "out", format="mp4")
    with pytest.raises(TypeError, match=r"unknown option 'formt'. Did you mean format"):
        separated(Identity(), tmp_path / "song.wav", tmp_path / "out", formt="mp3")
    with pytest.raises(ValueError, match="needs the true stems"):
        separated(Ratio(), tmp_path / "song.wav", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]
