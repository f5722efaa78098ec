"""What can be chosen about an evaluation, as keywords of `evaluate` and as frozen values within."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

from msbench.metrics import catalogue
from msbench.metrics.bsseval.score import BACKENDS
from msbench.records.types import Run
from msbench.system.names import inside
from msbench.system.wording import choices

if TYPE_CHECKING:
    import torch  # boards import this module, and are read without it

TrackProgress = Callable[[int, int, str, dict[str, float]], None]  # (done, tracks, name, {target: median SDR})
Value = TypeVar("Value")


@dataclass(frozen=True)
class Scoring:
    """What is scored, and where that is computed.

    Attributes:
        backend: Of BSSEval; both give the same numbers.
        metrics: Names of the metrics in addition to BSSEval (`msbench.metrics.catalogue`).
        device: Where BSSEval's correlations run. It does not change the numbers.
        scenario: Targets that are scored together once more, under a metric id of their own.
        pooled: Whether medians over the windows of all tracks are kept too, under ids of their own.

    Raises:
        ValueError: If there is no such backend, or a scenario of one target, or of one twice.
    """

    backend: str = "fast"
    metrics: Sequence[str] = catalogue.DEFAULT
    device: str | torch.device = "cpu"
    scenario: Sequence[str] = ()
    pooled: bool = False

    def __post_init__(self) -> None:
        if self.scenario and (len(set(self.scenario)) < 2 or len(set(self.scenario)) < len(self.scenario)):
            raise ValueError(f"a scenario has two targets or more, each once, not {','.join(self.scenario)}")
        if self.backend not in BACKENDS:
            raise ValueError(f"unknown backend '{self.backend}': choose {' or '.join(BACKENDS)}")


@dataclass(frozen=True)
class Execution:
    """How an evaluation is carried out; none of it changes a number.

    Attributes:
        output: Where museval's JSON of each track is kept, so that a second run goes on from there.
        excerpts: Number of tracks of which some seconds are kept as audio.
        jobs: Tracks at a time.
        progress: Called after each track.

    Raises:
        ValueError: If `jobs` is below one.
    """

    output: str | Path | None = None
    excerpts: int = 0
    jobs: int = 1
    progress: TrackProgress | None = None

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError(f"jobs must be at least 1, not {self.jobs}")

    def result_path(self, folder: str, split: str, track: str) -> Path | None:
        """Where the result of a track is kept, in a folder of the output for each scenario; None where nothing is.

        Raises:
            ValueError: If a name is not that of a single file, or a link leads out of the output.
        """
        if self.output is None:
            return None
        parts = [part for part in (folder, split, track) if part]
        return inside(Path(self.output), *parts).with_name(f"{track}.json")


@dataclass(frozen=True)
class RowFacts:
    """What the record says that neither the model nor the dataset can tell.

    Attributes:
        label: Name of the row on a board; one of the model's own when None.
        seed: Of the training; that of the checkpoint when None.
        run: Called at the end for the record's `run`.
    """

    label: str | None = None
    seed: int | None = None
    run: Callable[[], Run] | None = None


class EstimatesOptions(TypedDict, total=False):
    """Keywords of `evaluate_estimates`: the fields of `Scoring`, `Execution` and `RowFacts`."""

    backend: str
    metrics: Sequence[str]
    device: str | torch.device
    scenario: Sequence[str]
    pooled: bool
    output: str | Path | None
    excerpts: int
    jobs: int
    progress: TrackProgress | None
    label: str | None
    seed: int | None
    run: Callable[[], Run] | None


class EvaluationOptions(EstimatesOptions, total=False):
    """Keywords of `evaluate`: the same, and the fields of `msbench.separation.inference.Inference`."""

    chunk_seconds: float
    overlap: float
    batch_size: int | Literal["auto"]
    window: str
    shifts: int
    tta: Sequence[str]
    precision: str
    compile: bool


def check_options(options: Mapping[str, Any], known: type, *others: str) -> None:
    """Refuse a keyword that a function does not take.

    Args:
        options: What it was given.
        known: The TypedDict of its options.
        others: Its other keywords, for the message.

    Raises:
        TypeError: If one is unknown.
    """
    names = [*others, *known.__annotations__]
    for name in options:
        if name not in names:
            raise TypeError(f"unknown option '{name}'. {choices(name, names)}")


def from_options(kind: type[Value], options: Mapping[str, Any]) -> Value:
    """A frozen value of those options that are its fields."""
    own = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    return kind(**{name: value for name, value in options.items() if name in own})
