"""`msbench check` must catch what a plugin does wrong, in the check that is meant for it, and go on."""

import re
import shutil
import textwrap

import pytest
import torch

from msbench.cli.app import main
from msbench.conformance.checks import check
from msbench.conformance.subject import difference

SOUND = """
    import torch
    from torch import nn
    from msbench import Separator

    class Net(Separator):
        def __init__(self, targets=("vocals", "drums"), sample_rate=8000, channels=1):
            super().__init__(targets, sample_rate, channels)
            self.net = nn.Conv1d(channels, len(self.targets) * channels, 9, padding=4)

        def forward(self, mixture):
            return self.net(mixture).unflatten(1, (len(self.targets), -1))
"""
FORWARD = "return self.net(mixture).unflatten(1, (len(self.targets), -1))"


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Writes `net.py`, a sound model with some of its text replaced, and registers it."""
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path))

    def write(*replaced: tuple[str, str], text: str = SOUND) -> str:
        text = textwrap.dedent(text)
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "net.py").write_text(text)
        return "net"

    return write


def failures(name: str) -> dict[str, str]:
    return {result.name: result.detail for result in check(name) if not result.passed}


def test_a_sound_model_passes_and_its_costs_are_counted(plugin):
    results = list(check(plugin()))
    assert [r for r in results if not r.passed] == []
    # 2 outputs of 9 taps and a bias; 18 products a sample at 8000 Hz.
    assert "20 parameters, 0.14 M matrix and convolution MACs per second of audio" in results[-1].detail
    assert {r.name for r in results} >= {"loss l1 on the waveform", "loss si_snr on the waveform", "save and load"}


BROKEN = {
    "wrong time": ((FORWARD, FORWARD + "[..., :-1]"), "any length", r"returned \(1, 2, 1, 0\); the contract is"),
    "wrong targets": ((FORWARD, FORWARD + "[:, :1]"), "any length", r"returned \(1, 1, 1, 1\); the contract is"),
    "ignores the batch": ((FORWARD, FORWARD + "[:1]"), "any length", r"\(1, 2, 1, 800\); the contract is \(2, 2"),
    "complex": ((FORWARD, FORWARD + " + 0j"), "any length", "returned torch.complex64"),
    "nothing returned": ((FORWARD, "pass"), "any length", "returned NoneType"),
    "divides by silence": (
        (FORWARD, FORWARD + " / mixture.abs().max()"), "finite estimates", "NaN .* in the estimates of silence"),
    "normalised over the batch": (
        (FORWARD, FORWARD + " / (1e-3 + mixture.abs().max())"), "batch invariance", "depend on the rest of its batch"),
    "batch norm left in training mode": (
        (FORWARD, "return nn.functional.batch_norm(self.net(mixture), None, None, training=True)"
                  ".unflatten(1, (len(self.targets), -1))"), "batch invariance", "depend on the rest of its batch"),
    "draws random numbers": ((FORWARD, FORWARD + " + 0.01 * torch.rand(1)"), "same again", "the second time"),
    "keeps state": (
        (FORWARD, "self.calls = getattr(self, 'calls', 0) + 1; " + FORWARD + " * self.calls"),
        "same again", "keep state between calls"),
    "changes its input": ((FORWARD, "mixture -= mixture.mean(); " + FORWARD), "same again", "changes the mixture"),
    "state in training that is not saved": (
        (FORWARD, "self.level = float(mixture.std()) if self.training else getattr(self, 'level', 1.0); "
                  + FORWARD + " * (1 + self.level)"), "save and load", "all that they depend on must be"),
    "no gradient": ((FORWARD, FORWARD.replace("mixture)", "mixture).detach()")), "loss l1 on the waveform",
                    "has no gradient: something"),
    "gradient of nothing": ((FORWARD, FORWARD + " * 0"), "loss l1 on the waveform", "every gradient is zero"),
    "infinite gradient": ((FORWARD, FORWARD + " + 0 * self.net.weight.sub(self.net.weight).abs().sqrt().sum()"),
                          "loss l1 on the waveform", "NaN or infinite in the gradient of net.weight"),
    "a loss that is not one": (
        ("def forward", "def loss(self, batch, criterion): return self(batch.mixture).mean(-1)\n    def forward"),
        "loss l1 on the waveform", r"loss returned \(2, 2, 1\); the contract is a scalar"),
    "one target too few": (("super()", "assert len(targets) > 1, 'two at least'\n        super()"),
                           "a single target", r"AssertionError: two at least \(net.py, line 8\)"),
    "ignores its targets": (("super().__init__(targets,", "super().__init__(('vocals', 'drums'),"),
                            "a single target", "its targets are"),
    "stereo alone": (("(channels, len", "(2, len"), "any length", "RuntimeError: .* expected input"),
    "no half precision": (
        (FORWARD, "x = self.net(mixture); x = torch.complex(x, x).real; "
                  "return x.unflatten(1, (len(self.targets), -1))"), "bfloat16", "RuntimeError: .*BFloat16"),
    "nothing to train": (("nn.Conv1d(channels, len(self.targets) * channels, 9, padding=4)", "nn.Identity()"),
                         "builds", "set `trainable = False`"),
    "needs an argument": (("channels=1)", "channels=1, *, size)"), "builds", "and has none for size"),
    "no default": (("targets=(\"vocals\", \"drums\"), sample_rate=8000, channels=1", "targets, sample_rate, channels"),
                   "builds", "default for every argument, and has none for targets"),
    "no stride": (("self.net =", "self.stride_samples = 0; self.net ="), "builds", "stride_samples must be"),
    "unknown chunking": (("self.net =", "self.chunking = 'whole'; self.net ="), "builds", "chunking must be"),
    "a length below a stride": (("self.net =", "self.chunk_samples = 0; self.net ="), "builds", "chunk_samples must"),
    "a network of no target": (("def forward", "def networks(self): return {'choir': self.net}\n    def forward"),
                               "builds", "networks\\(\\) names choir, which is no target"),
    "unknown domain": (("def __init__", "loss_domains = ('waveform', 'cepstrum')\n    def __init__"),
                       "losses on the cepstrum", "no registered loss takes the cepstrum"),
    "a default against its annotation": (("channels=1)", "channels=1, size: int = 4.5)"), "save and load",
                                         "`msbench fit` cannot read its constructor: .*size"),
    "does not import": (("import torch\n", "import torch\nimport not_there\n"), "imports", "No module .*not_there"),
    "leaves at import": (("import torch\n", "import torch\nraise SystemExit('no')\n"), "imports", "SystemExit: no"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_model_fails_in_the_check_that_is_meant_for_it(plugin, case):
    replaced, title, reason = BROKEN[case]
    found = failures(plugin(replaced))
    assert title in found, found
    assert re.search(reason, found[title]), found[title]
    assert all("\n" not in detail for detail in found.values())


def test_others_go_on_after_a_failure(plugin):
    results = list(check(plugin(BROKEN["wrong targets"][0])))
    assert [r.passed for r in results if r.name == "device"] == [True]
    assert results[-1].name == "costs"


def test_what_cannot_be_built_ends_the_check(plugin):
    assert [r.name for r in check(plugin(BROKEN["no default"][0]))] == ["imports", "builds"]


def test_a_class_of_something_else_is_refused(plugin):
    (result,) = check(plugin(text="from argparse import Namespace as FakeSeparator\nclass Net(FakeSeparator): pass"))
    assert (result.name, result.passed) == ("imports", False)
    assert "no subclass of msbench.Separator" in result.detail


def test_an_unknown_name_is_bad_input():
    with pytest.raises(KeyError, match=r"unknown model 'unett'. Did you mean unet"):
        next(check("unett"))


def test_the_name_of_a_lost_tensor_is_said(plugin):
    name = plugin(("self.net =", "self.gain = torch.rand(1); self.net ="), (FORWARD, FORWARD + " * self.gain"))
    results = {r.name: r for r in check(name)}
    assert "must be an nn.Parameter or a buffer, as gain is not" in results["save and load"].detail
    if not torch.cuda.is_available():
        assert "gain: a plain tensor does not move" in results["device"].detail


def test_idle_parameters_are_told_and_allowed(plugin):
    name = plugin(("self.net =", "self.spare = nn.Linear(2, 2); self.net ="))
    results = {r.name: r for r in check(name)}
    assert all(r.passed for r in results.values())
    assert "no gradient reaches 2 of 4 parameters (spare.weight)" in results["loss l1 on the waveform"].detail


def test_a_loss_that_does_not_fit_is_skipped_and_says_so(plugin):
    name = plugin(
        text=SOUND
        + """
    def four_axes(estimates, references):
        if estimates.dim() != 5:
            raise ValueError("it wants a spectrogram")
        return (estimates - references).square().flatten(1).mean(1)
"""
    )
    results = {r.name: r for r in check(name)}
    assert results["loss four_axes on the waveform"].detail.startswith("skipped: four_axes does not take the waveform")
    assert all(r.passed for r in results.values())


def test_a_loss_that_reads_the_mixture_is_skipped_where_a_model_compares_a_part_of_it(plugin):
    part = "criterion(self(batch.mixture)[..., 9:], batch.references[..., 9:])"
    part = f"def loss(self, batch, criterion):\n        return {part}\n\n    def forward"
    results = {r.name: r for r in check(plugin(("def forward", part)))}
    assert [r for r in results.values() if not r.passed] == []
    assert results["loss wsdr on the waveform"].detail.startswith(
        "skipped: loss 'wsdr' reads the mixture of what it compares, and this model compares another part"
    )


def test_losses_of_the_magnitude_are_tried_where_a_model_has_them():
    results = {r.name: r for r in check("unet")}
    assert [r for r in results.values() if not r.passed] == []
    assert "loss mse on the magnitude" in results
    assert results["loss si_snr on the magnitude"].detail == (
        "skipped: loss 'si_snr' does not take the magnitude: it takes waveform"
    )


def test_a_recurrent_net_is_counted_as_its_products(plugin):
    name = plugin(
        ("nn.Conv1d(channels, len(self.targets) * channels, 9, padding=4)", "nn.LSTM(1, 2, batch_first=True)"),
        (FORWARD, "return self.net(mixture.transpose(1, 2))[0].transpose(1, 2).unflatten(1, (2, -1))"),
        ('targets=("vocals", "drums"), sample_rate=8000, channels=1', ""),
        ("targets, sample_rate, channels", "('vocals', 'drums'), 400, 1"),
    )
    results = {r.name: r for r in check(name)}
    assert results["costs"].passed
    # 4 gates of 2 units, each of 1 input and 2 states: 24 products a sample, 400 samples a second.
    assert "9.6 k matrix" in results["costs"].detail
    assert results["mono"].detail == "skipped: its constructor takes no channels"


def test_checks_repeat_and_leave_the_random_state_alone(plugin):
    name = plugin()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = [r for r in check(name) if r.name != "costs"]
    assert torch.equal(torch.get_rng_state(), state)
    assert first == [r for r in check(name) if r.name != "costs"]


def test_difference_is_a_share_of_the_peak():
    assert difference(torch.tensor([1.0, 2.5]), torch.tensor([1.0, 2.0])) == 0.25
    assert difference(torch.zeros(3), torch.zeros(3)) == 0
    assert not difference(torch.tensor([float("nan")]), torch.ones(1)) <= 1


def test_the_command_counts_failures(plugin, capsys):
    assert main(["check", plugin(BROKEN["draws random numbers"][0])]) == 1
    printed = capsys.readouterr()
    assert "FAIL  same again: the same mixture" in printed.out
    assert "ok    imports" in printed.out
    assert "breaks the contract in" in printed.err


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_torch_compile_is_tried_where_it_is_asked_for(plugin):
    results = {r.name: r for r in check(plugin(), compiled=True)}
    assert results["torch.compile"].passed
    assert re.match(r"within [\de.-]+, in \d+ s", results["torch.compile"].detail)
