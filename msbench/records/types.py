"""The shape of a record, and of the result of one track, for type checkers and readers; nothing is checked at run time.

`record.schema.json` says the same to `validate`, and what each field means; a test holds the two together.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

TargetScores = dict[str, Any]  # {metric: its value, or None; "reason": why one of them is None}
TrackScores = dict[str, TargetScores]  # {target: ...}


class Member(TypedDict):
    """A model that an ensemble combines: its name, and the file that its weights came from."""

    name: str
    sha256: str | None


class Model(TypedDict):
    """The model, as it was built and adapted to the dataset."""

    name: str
    label: str
    role: Literal["system", "floor", "ceiling"]
    options: NotRequired[dict[str, Any]]
    config_sha256: NotRequired[str | None]
    parameters: NotRequired[int | None]
    macs_per_second: NotRequired[float | None]
    licence: NotRequired[str | None]
    targets: NotRequired[list[str]]
    adaptation: NotRequired[dict[str, Any]]
    members: NotRequired[list[Member]]


class CheckpointFacts(TypedDict, total=False):
    """The file that the weights came from."""

    sha256: str | None
    step: int | None
    epoch: int | None
    selection: str | None
    ema: bool | None
    weights: str | None  # the name of published ones


class Dropped(TypedDict):
    """A bad track that the training left out, in part or whole."""

    split: str
    track: str
    reason: str


class Changed(TypedDict):
    """A setting that was another one before the training went on."""

    field: str
    before: NotRequired[str | float | bool | None]
    after: NotRequired[str | float | bool | None]
    step: NotRequired[int | None]


class Training(TypedDict):
    """What the model was trained on."""

    data: Literal["standard", "extra", "unknown"]
    datasets: NotRequired[list[str] | None]
    splits: NotRequired[dict[str, list[str]]]
    tracks: NotRequired[int | None]
    hours: NotRequired[float | None]
    unlabelled_hours: NotRequired[float | None]
    initialized_from: NotRequired[str | None]
    changed: NotRequired[list[Changed]]
    dropped: NotRequired[list[Dropped]]


class Code(TypedDict, total=False):
    """The state of msbench's own code."""

    msbench: str | None
    commit: str | None
    dirty: str | None
    lock_sha256: str | None


class ScoredData(TypedDict):
    """The tracks that were scored."""

    name: str
    version: NotRequired[str | None]
    split: str
    fingerprint: str | None
    manifest_sha256: NotRequired[str | None]
    sample_rate: NotRequired[int | None]
    files: NotRequired[list[str] | None]
    tracks: NotRequired[list[str]]
    seconds: NotRequired[list[float] | None]


class InferenceFacts(TypedDict, total=False):
    """How the model was run."""

    chunk_seconds: float | None
    overlap: float | None
    batch_size: int | str | None
    device: str | None
    dtype: str | None
    window: str
    shifts: int
    tta: list[str]
    compile: bool


class Metric(TypedDict):
    """What was scored: BSSEval under `id`, and the other metrics under `beside`."""

    id: str
    backend: NotRequired[str | None]
    implementation: NotRequired[str | None]
    beside: NotRequired[list[str]]


class Speed(TypedDict, total=False):
    """How long the separation took, and on what."""

    real_time_factor: float | None
    real_time_factor_p95: float | None
    seconds: float | None
    peak_bytes: int | None
    hardware: str | None
    gpu: str | None
    driver: str | None


class Run(TypedDict, total=False):
    """The attempts at a cell of a suite."""

    restarts: int | None
    hours: float | None
    gpu_hours: float | None
    slurm_job_ids: list[str] | None
    jobs: list[str | int] | None  # of earlier records


class Further(TypedDict):
    """Scores of the same estimates under a further metric id."""

    metric: Metric
    scores: dict[str, TrackScores]


class Record(TypedDict):
    """One result."""

    schema_version: int
    tier: NotRequired[str]
    source: NotRequired[str]
    read_in: NotRequired[str]
    model: Model
    checkpoint: NotRequired[CheckpointFacts | None]
    training: NotRequired[Training]
    code: NotRequired[Code]
    dataset: ScoredData
    inference: NotRequired[InferenceFacts]
    metric: Metric
    seed: NotRequired[int | None]
    speed: NotRequired[Speed]
    environment: NotRequired[dict[str, str | None]]
    run: NotRequired[Run]
    scores: dict[str, TrackScores]
    further: NotRequired[list[Further]]


class Frame(TypedDict):
    """One window of museval's JSON: NaN where it has no score."""

    time: float
    duration: float
    metrics: dict[str, float]


class TargetFrames(TypedDict):
    """One target of museval's JSON."""

    name: str
    frames: list[Frame]


class TrackResult(TypedDict):
    """museval's JSON of one track, and under names that begin with `msbench_` what msbench adds."""

    targets: list[TargetFrames]
    museval_version: str
    msbench_beside: dict[str, dict[str, float | None]]  # {target: {metric id: value}}
    msbench_reasons: dict[str, str]  # {target: why a value is missing}
    msbench_seconds: float | None  # that the separation took
    msbench_peak_bytes: int | None
    msbench_key: NotRequired[str]  # of the estimates and settings that it was scored with
