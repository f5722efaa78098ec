"""The optimizer and the schedule that torch lacks, and the examples of docs/training.md."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import torch
import yaml

from msbench.cli.app import main
from msbench.training.fit import fit
from msbench.training.optimizers import Muon, WarmupCosine
from tests.tiny import fit_arguments, write_model, write_songs

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text("utf-8")
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(model:.*?)```", PAGE, re.DOTALL)]
EXTRAS = {"prodigyopt.Prodigy": "prodigy", "bitsandbytes.optim.AdamW8bit": "adam8bit"}


def minimized(optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    """The parameters after three steps."""
    for number in range(3):
        optimizer.zero_grad()
        torch.stack([((number + 1) * each - 1).square().sum() for each in parameters]).sum().backward()
        optimizer.step()
    return [each.detach() for each in parameters]


def drawn(*shapes: tuple[int, ...]) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def test_muon_is_torchs_on_matrices_and_adamw_on_the_rest() -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip(f"torch {torch.__version__} has no Muon")
    shapes, vectors = [(6, 4), (3, 8)], [(5,), ()]
    options = {"lr": 0.02, "weight_decay": 0.1}
    ours = drawn(*shapes, *vectors)
    minimized(Muon(ours, **options), ours)
    theirs = drawn(*shapes, *vectors)
    minimized(torch.optim.Muon(theirs[:2], momentum=0.95, adjust_lr_fn="match_rms_adamw", **options), theirs[:2])
    minimized(torch.optim.AdamW(theirs[2:], **options), theirs[2:])
    torch.testing.assert_close(ours, theirs)


def test_muon_takes_a_kernel_as_a_matrix_and_goes_on_from_its_state() -> None:
    kernel, matrix = drawn((4, 2, 3)), drawn((4, 6))
    assert torch.equal(kernel[0].flatten(1), matrix[0])
    torch.testing.assert_close(minimized(Muon(kernel), kernel)[0].flatten(1), minimized(Muon(matrix), matrix)[0])
    whole, first = drawn((4, 2, 3), (5,)), drawn((4, 2, 3), (5,))
    optimizer = Muon(whole)
    minimized(optimizer, whole)
    minimized(optimizer, whole)
    state = Muon(first)
    minimized(state, first)
    resumed = Muon(first)
    resumed.load_state_dict(state.state_dict())
    torch.testing.assert_close(minimized(resumed, first), [each.detach() for each in whole])
    with pytest.raises(ValueError, match=r"momentum and betas must be from 0 to below 1, not 1\.0"):
        Muon(first, momentum=1.0)


def test_warm_up_and_cosine_are_torchs() -> None:
    schedules = torch.optim.lr_scheduler
    rates = []
    for build in (
        lambda optimizer: WarmupCosine(optimizer, epochs=9, warmup_epochs=3),
        lambda optimizer: schedules.SequentialLR(
            optimizer,
            [schedules.LinearLR(optimizer, 0.25, total_iters=3), schedules.CosineAnnealingLR(optimizer, 6)],
            milestones=[3],
        ),
    ):
        optimizer = torch.optim.SGD(drawn((1,)), lr=2.0)
        schedule = build(optimizer)
        rates.append([])
        for _ in range(10):
            rates[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
    assert rates[0] == pytest.approx(rates[1], abs=1e-9)
    assert rates[0][:4] == [0.5, 1.0, 1.5, 2.0]
    floor = WarmupCosine(optimizer, epochs=2, floor=0.1)
    for _ in range(5):
        floor.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * floor.base_lrs[0])
    with pytest.raises(ValueError, match="warmup_epochs must be from 0 to below epochs, not 2 of 2"):
        WarmupCosine(optimizer, epochs=2, warmup_epochs=2)


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    write_songs(tmp_path / "songs", seconds=0.6)
    few = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]
    return [*fit_arguments(), *few, "--data.chunk_seconds", "0.6"]  # longer than a window of 4096 samples


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_the_examples_of_the_page_train(
    arguments: list[str], example: dict[str, dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    name = example["model"].get("optimizer", {}).get("class_path", "torch")  # type: ignore[attr-defined]
    Path("example.yaml").write_text(yaml.safe_dump({"name": "tiny", **example}))
    call = [*arguments, "-c", "example.yaml"]
    if name in EXTRAS and importlib.util.find_spec(name.partition(".")[0]) is None:
        assert main(["fit", *call]) == 2
        said = capsys.readouterr().err
        assert f"field model.optimizer: {name} is not installed: pip install 'msbench[{EXTRAS[name]}]'" in said
        return
    assert (fit(call) / "last.ckpt").is_file()


def test_the_page_has_an_example_of_each() -> None:
    named = [str(example) for example in EXAMPLES]
    for each in ("AdamW", "Muon", *EXTRAS, "WarmupCosine", "multi_resolution", "freeze"):
        assert any(each in example for example in named), f"docs/training.md has no example of {each}"
