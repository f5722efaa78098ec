"""Spleeter against the authors' code with the same weights, and the published weights into ours."""

import numpy as np
import pytest
import torch
from msbench_plugins.spleeter import convert
from torch.nn import functional

import msbench
from msbench.losses.criterion import Criterion
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import noise

WINDOW, HOP, BINS, FRAMES = 256, 64, 64, 64
SMALL = {"filters": 2, "sample_rate": 8000, "window_samples": WINDOW, "hop_samples": HOP, "bins": BINS}
SMALL |= {"segment_frames": FRAMES}
STEMS = {
    2: {"targets": ["vocals", "accompaniment"], "activation": "leaky_relu"},
    4: {"targets": ["vocals", "drums", "bass", "other"]},
    5: {"targets": ["vocals", "piano", "drums", "bass", "other"], "mask": "softmax"},
}


def tensorflow(stems: int, filters: int = 2) -> dict[str, np.ndarray]:
    """Random weights in the names and shapes of a TensorFlow checkpoint, layer by layer as unet.py makes them."""
    random, arrays, made = np.random.default_rng(stems), {}, {}

    def add(kind: str, **shapes: tuple[int, ...]) -> None:
        number = made[kind] = made.get(kind, -1) + 1
        for name, shape in shapes.items():
            values = 1 + 0.1 * random.standard_normal(shape)
            if name == "kernel":
                values = random.standard_normal(shape) / np.sqrt(np.prod(shape[:3]))
            arrays[f"{kind}_{number}/{name}" if number else f"{kind}/{name}"] = values.astype(np.float32)

    def norm(width: int) -> None:
        size = (width,)
        add("batch_normalization", gamma=size, beta=size, moving_mean=size, moving_variance=size)

    for _ in range(stems):
        widths = [2, *(filters * 2**i for i in range(6))]
        for a, b in zip(widths[:-1], widths[1:], strict=True):
            add("conv2d", kernel=(5, 5, a, b), bias=(b,))
            norm(b)
        for i, b in enumerate([*widths[5:0:-1], 1]):
            a = widths[6] if i == 0 else 2 * widths[6 - i]
            add("conv2d_transpose", kernel=(5, 5, b, a), bias=(b,))
            norm(b)
        add("conv2d", kernel=(4, 4, 1, 2), bias=(2,))
    return {**arrays, "global_step": np.array(7), "conv2d/kernel/Adam": arrays["conv2d/kernel"]}


def published(arrays, waveform, stems: int) -> list[torch.Tensor]:
    """What deezer/spleeter (64daa5a) makes of a waveform (T, C) with such weights, each stem (T, C).

    spleeter/model/__init__.py and spleeter/model/functions/unet.py, in TensorFlow's order of axes: (segments, time,
    frequency, channels).
    """
    count: dict[str, int] = {}

    def variables(kind: str):
        number = count[kind] = count.get(kind, -1) + 1
        name = f"{kind}_{number}" if number else kind
        return lambda part: torch.from_numpy(arrays[f"{name}/{part}"])

    def conv2d(x, stride: int = 2, dilation: int = 1):  # padding="same": of odd sums, the larger part comes after
        get = variables("conv2d")
        kernel = get("kernel").permute(3, 2, 0, 1)
        pads = []
        for size, taps in zip(reversed(x.shape[2:]), reversed(kernel.shape[2:]), strict=True):
            total = max((-(-size // stride) - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(x, pads), kernel, get("bias"), stride, dilation=dilation)

    def conv2d_transpose(x):
        get = variables("conv2d_transpose")
        whole = functional.conv_transpose2d(x, get("kernel").permute(3, 2, 0, 1), get("bias"), 2)
        return whole[..., 1:-2, 1:-2]

    def batch_normalization(x):
        get = variables("batch_normalization")
        return functional.batch_norm(x, get("moving_mean"), get("moving_variance"), get("gamma"), get("beta"), eps=1e-3)

    def unet(x):
        conv_activation = (lambda x: functional.leaky_relu(x, 0.2)) if stems == 2 else functional.elu
        deconv_activation = functional.relu if stems == 2 else functional.elu
        convs = []
        for _ in range(6):
            convs.append(conv2d(x))
            x = conv_activation(batch_normalization(convs[-1]))
        x = batch_normalization(deconv_activation(conv2d_transpose(convs[-1])))
        for skip in convs[-2::-1]:
            x = batch_normalization(deconv_activation(conv2d_transpose(torch.cat([skip, x], 1))))
        return conv2d(x, 1, 2)

    time = len(waveform)
    padded = torch.cat([torch.zeros(WINDOW, 2), waveform])
    frames = -(-len(padded) // HOP)  # pad_end=True
    padded = functional.pad(padded, (0, 0, 0, (frames - 1) * HOP + WINDOW - len(padded)))
    window = torch.hann_window(WINDOW)
    stft = torch.fft.rfft(padded.unfold(0, WINDOW, HOP) * window).permute(0, 2, 1)  # (frames, bins, channels)
    segments = functional.pad(stft.abs(), (0, 0, 0, 0, 0, -frames % FRAMES))[:, :BINS].unflatten(0, (-1, FRAMES))
    image = segments.permute(0, 3, 1, 2)
    logits = torch.stack([unet(image) for _ in range(stems)])
    outputs = (logits.softmax(0) if stems == 5 else logits.sigmoid()) * image
    total = (outputs**2).sum(0) + 1e-10
    estimates = []
    for output in outputs:
        mask = (output**2 + 1e-10 / stems) / total
        mask = functional.pad(mask.permute(0, 2, 3, 1), (0, 0, 0, WINDOW // 2 + 1 - BINS)).flatten(0, 1)[:frames]
        parts = torch.fft.irfft((mask * stft).permute(0, 2, 1)) * window * 2 / 3
        signal = torch.zeros(padded.shape)
        for i, part in enumerate(parts):
            signal[i * HOP : i * HOP + WINDOW] += part.T
        estimates.append(signal[WINDOW : WINDOW + time])
    return estimates


@pytest.mark.parametrize("time", [4999, 1])  # two segments, and a sample
@pytest.mark.parametrize("stems", STEMS)
def test_the_outputs_are_the_authors(stems, time):
    arrays = tensorflow(stems)
    ours = convert(arrays, **SMALL).eval()
    assert ours.targets == STEMS[stems]["targets"]
    mixture = noise(2, 2, time)
    with torch.no_grad():
        estimates = ours(mixture)
        for item, waveform in enumerate(mixture):
            theirs = torch.stack(published(arrays, waveform.T, stems)).transpose(1, 2)
            assert (estimates[item] - theirs).abs().max() < 1e-5 * mixture.abs().max()
    assert time == 1 or estimates.std(1).mean() > 1e-3  # stems are not alike


def test_parameters_are_the_authors():
    with torch.device("meta"):
        assert parameter_count(msbench.load("spleeter", **STEMS[2])) == 2 * 9_823_749
    names = {name for name in tensorflow(5) if "Adam" not in name and "/" in name}
    assert len(names) == 5 * (7 * 2 + 6 * 2 + 12 * 4)


def test_what_does_not_fit_is_refused():
    arrays = tensorflow(4)
    with pytest.raises(ValueError, match="no published weights of Spleeter have 0 stems: give the targets"):
        convert({"something": np.zeros(3)})
    with pytest.raises(ValueError, match="the weights are of 4 stems, and the targets 2"):
        convert(arrays, targets=["vocals", "accompaniment"], **SMALL)
    with pytest.raises(ValueError, match=r"'conv2d/kernel' is \(5, 5, 2, 2\), and the model's \(5, 5, 2, 3\)"):
        convert(arrays, **{**SMALL, "filters": 3})
    del arrays["batch_normalization_11/beta"]
    with pytest.raises(ValueError, match="there is no array 'batch_normalization_11/beta'"):
        convert(arrays, **SMALL)


def test_weights_of_another_dataset_name_their_targets():
    arrays = {name: value for name, value in tensorflow(4).items() if not name.startswith("global")}
    model = convert(arrays, targets=["a", "b", "c", "d"], activation="leaky_relu", **SMALL)
    assert model.targets == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["vocals"], "mask": "softmax"}, "mask softmax is among several targets: name two or more"),
        ({"bins": 100}, "bins must be a multiple of 64, not 100"),
        ({"segment_frames": 0}, "segment_frames must be a multiple of 64, not 0"),
        ({"bins": 2112}, "bins must be at most 2049, which the STFT has, not 2112"),
        ({"window_samples": 4095}, "window_samples must be even, not 4095"),
        ({"activation": "relu"}, "activation must be one of elu, leaky_relu, not 'relu'"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        msbench.load("spleeter", **options)


def test_the_loss_compares_the_estimates_of_the_networks():
    """unet.py and _build_loss: L1 between mask x mixture and the stem, below the highest bin, at their level."""
    model = msbench.load("spleeter", **SMALL)
    mixture, references = noise(2, 2, 3000), noise(2, 4, 2, 3000, seed=1)
    loss = model.loss(Batch(mixture, references), Criterion("l1", "magnitude"))
    window = torch.hann_window(WINDOW)

    def magnitudes(signals):
        flat = functional.pad(signals.flatten(0, -2), (0, -3000 % HOP))
        spectrum = torch.stft(flat, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
        return spectrum.abs()[:, :BINS].unflatten(0, signals.shape[:-1])

    segments = functional.pad(magnitudes(mixture), (0, -48 % FRAMES))
    masks = torch.stack([unet(segments).sigmoid() for unet in model.unets], 1)[..., :48]
    expected = (masks * magnitudes(mixture)[:, None] - magnitudes(references)).abs().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_fixed_norms_have_no_statistics_of_batches():
    model, batch = msbench.load("spleeter", **SMALL), Batch(noise(2, 2, 3000), noise(2, 4, 2, 3000, seed=1))
    values = [model.train(mode).loss(batch, Criterion("l1", "magnitude")).item() for mode in (True, False)]
    assert values[0] == values[1]
    assert not any(value.any() for name, value in model.state_dict().items() if name.endswith("running_mean"))
    other = msbench.load("spleeter", norm="batch", **SMALL).train()
    other.loss(batch, Criterion("l1", "magnitude"))
    assert other.unets[0].down_norms[0].running_mean.any()


def test_the_bins_above():
    spectrogram = noise(1, 2, WINDOW // 2 + 1, FRAMES).abs()
    for extension in ("zeros", "average"):
        masks = msbench.load("spleeter", extension=extension, **SMALL).eval().mask(spectrogram)
        above = masks[:, :, :, BINS:]
        expected = masks[:, :, :, :BINS].mean(3, keepdim=True) if extension == "average" else torch.zeros(())
        assert torch.equal(above, expected.expand_as(above))
    assert torch.allclose(masks.sum(1), torch.ones(()), atol=1e-5)


def test_a_stem_learns_by_itself_unless_stems_compete():
    """A single target has its U-Net's mask; `msbench join` puts the U-Nets of several together."""
    whole, alone = msbench.load("spleeter", **SMALL).eval(), msbench.load("spleeter", targets=["bass"], **SMALL).eval()
    alone.networks()["bass"].load_state_dict(whole.networks()["bass"].state_dict())
    spectrogram = noise(1, 2, WINDOW // 2 + 1, 70).abs()
    with torch.no_grad():
        estimate = alone.mask(spectrogram)[:, 0, :, :BINS] * spectrogram[:, :, :BINS] / alone.stft.scale
        assert torch.allclose(estimate, whole.estimate(spectrogram)[:, 2], atol=1e-6)
    assert msbench.load("spleeter", mask="softmax", **SMALL).networks() == {}


def test_published_weights_become_a_checkpoint(tmp_path):
    """Arrays of a file of numpy, too."""
    np.savez(tmp_path / "2stems.npz", **tensorflow(2))
    model = convert(np.load(tmp_path / "2stems.npz"), **SMALL)
    msbench.save(model, tmp_path / "2stems.ckpt")
    again = msbench.load(tmp_path / "2stems.ckpt")
    assert again.targets == ["vocals", "accompaniment"]
    mixture = noise(1, 2, 3000)
    with torch.no_grad():
        assert torch.equal(again.eval()(mixture), model.eval()(mixture))
