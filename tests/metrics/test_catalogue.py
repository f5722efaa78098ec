"""The metrics by name: one row holds all of each, and what cannot be scored is said."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from msbench import metrics
from msbench.metrics import catalogue
from msbench.metrics.catalogue import Metric, ScoredTrack
from msbench.metrics.products import Products
from tests.compatibility import interface
from tests.metrics.examples import signals, voice

# What records and boards hold of each metric, for good.
IDS = {
    "si-sdr": "si-sdr;channels=joint",
    "si-sir": "si-sir;channels=joint;targets=drums,vocals",
    "si-sar": "si-sar;channels=joint;targets=drums,vocals",
    "snr": "snr;channels=joint",
    "track-sdr": "track-sdr;delta=1e-07",
    "nsdr": "nsdr;of=track-sdr;delta=1e-07",
    "mean-sdr": "mean-sdr;win=1;hop=1;filters=512;agg=mean-mean;targets=drums,vocals",
    "gnsdr": "gnsdr;of=bsseval-v3;filters=512;channels=mean;agg=mean-by-length",
    "l1-spectrogram": "l1-spectrogram;win=2048;hop=1024",
    "stoi": "stoi;win=10;agg=median;channels=mean",
    "pesq": "pesq;mode=wb;win=10;agg=median;channels=mean",
}
RATE = 8000


def track(estimates: Any, references: Any, targets: Sequence[str] = ("vocals", "bass")) -> ScoredTrack:
    """With no window that BSSEval could score."""
    mixture = references.sum(axis=0, keepdims=True)
    products = Products.of(estimates, references, mixture)
    return ScoredTrack(targets, products, estimates, references, mixture, RATE, np.full((len(targets), 3), np.nan))


def test_ids_are_those_of_records() -> None:
    ids = catalogue.metric_ids(catalogue.NAMES, ["vocals", "drums"])
    assert ids == IDS, "an id never changes; write that of a new metric here"


def test_a_metric_is_a_public_function_too() -> None:
    functions = {name.replace("-", "_") for name in catalogue.NAMES if name != "mean-sdr"}  # that is BSSEval's
    assert functions - set(metrics.__all__) == set(), "import it in msbench/metrics/__init__.py"


def test_the_help_of_evaluate_names_them_all() -> None:
    """By hand, because the command line imports no numpy for its help."""
    text = "".join(interface.usage("evaluate").split())  # which breaks lines within a name
    ((by_default, others),) = re.findall(r"someof([^(]+)\(thesebydefault\),(.+?)--jobs", text)
    message = "write it in the help of --metrics in msbench/cli/evaluate.py"
    assert tuple(by_default.split(",")) == catalogue.DEFAULT, message
    assert (*catalogue.DEFAULT, *others.split(",")) == catalogue.NAMES, message


def test_a_row_is_all_that_a_metric_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="settings"):
        Metric("new", lambda track: track.products.errors)  # type: ignore[call-arg]
    new = Metric(
        "new",
        lambda track: track.products.errors,
        title="Energy of the errors",
        settings=("of=errors",),
        unit="W",
        of_all_targets=True,
    )
    monkeypatch.setitem(catalogue.BY_NAME, "new", new)
    estimates, references = signals((2, 1, 1000))
    catalogue.check_names(["new"], ["vocals", "bass"])
    assert catalogue.metric_ids(["new"], ["vocals", "bass"]) == {"new": "new;of=errors;targets=bass,vocals"}
    found = catalogue.score(["new"], track(estimates, references))
    assert found["bass"]["new"] == pytest.approx(np.sum((estimates[1] - references[1]) ** 2))
    assert catalogue.unit_of("new") == "W"


def test_units() -> None:
    units = {name: catalogue.unit_of(name) for name in catalogue.NAMES}
    assert [name for name, unit in units.items() if unit != "dB"] == ["l1-spectrogram", "stoi", "pesq"]
    assert catalogue.unit_of("bsseval-v4") == "dB"


def test_voices_alone_have_scores_of_voices() -> None:
    clean = np.stack([voice(3, RATE), voice(3, RATE, seed=1)])[:, None]
    found = catalogue.score(["stoi", "snr"], track(0.9 * clean, clean, ["drums", "voice"]))
    assert {target: set(values) for target, values in found.items()} == {"drums": {"snr"}, "voice": {"stoi", "snr"}}


S, T, A = np.eye(3, 4800)  # the reference, the other reference, and what is neither: orthogonal to the bit
ZERO = np.zeros(4800)


@pytest.mark.parametrize(
    ("estimate", "reference", "name", "value", "reason"),
    [
        (S, ZERO, "snr", np.nan, "the reference is silent"),
        (S, ZERO, "track-sdr", np.nan, "the reference is silent"),
        (S, ZERO, "nsdr", np.nan, "the reference is silent"),
        (S, ZERO, "si-sdr", np.nan, "the reference or the estimate is silent"),
        (ZERO, S, "si-sdr", np.nan, "the reference or the estimate is silent"),
        (S, ZERO, "si-sir", np.nan, "the reference is silent"),
        (A, S, "si-sir", np.nan, "the estimate holds nothing of any reference"),
        (T, S, "si-sar", np.nan, "the estimate holds neither the reference nor artifacts"),
        (S, S, "snr", np.inf, "the estimate is the reference"),
        (2 * S, S, "si-sdr", np.inf, "the estimate is the reference, but for a gain"),
        (S + A, S, "si-sir", np.inf, "the estimate holds nothing of the other references"),
        (S + T, S, "si-sar", np.inf, "the estimate is a sum of the references"),
        (T, S, "si-sdr", -np.inf, "nothing of the reference is in the estimate"),
        (T, S, "si-sir", -np.inf, "nothing of the reference is in the estimate"),
        (A, S, "si-sar", -np.inf, "nothing of the reference is in the estimate"),
        (S, S, "mean-sdr", np.nan, "no window with a finite score"),
        (A, ZERO, "stoi", np.nan, "no window of 10 s with enough voice in the reference"),
        (A, ZERO, "pesq", np.nan, "no window of 10 s with enough voice in the reference"),
    ],
)
def test_why_there_is_no_number(
    estimate: np.ndarray, reference: np.ndarray, name: str, value: float, reason: str
) -> None:
    scored = track(np.stack([estimate, T])[:, None], np.stack([reference, T])[:, None])
    np.testing.assert_equal(catalogue.score([name], scored)["vocals"][name], value)
    said = catalogue.reason(name, value)
    assert said.startswith(f"{name}: ")
    assert reason in said


def test_what_cannot_be_scored_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue.check_names(catalogue.NAMES, ["vocals", "rest"])
    with pytest.raises(ValueError, match=r"unknown metric 'si-sdrr'\. Did you mean si-sdr"):
        catalogue.check_names(["si-sdrr"], ["vocals"])
    with pytest.raises(ValueError, match=r"stoi scores voices \(vocals, voice, speech\), not drums, bass"):
        catalogue.check_names(["stoi"], ["drums", "bass"])
    monkeypatch.setattr(sys, "path", [])
    for name in ("pystoi", "pesq"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'msbench\[perceptual\]'"):
        catalogue.check_names(["pesq"], ["vocals"])
