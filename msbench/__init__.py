"""msbench: a benchmark suite for music source separation.

>>> import msbench                                              # nothing heavy is imported until it is used
>>> sorted(msbench.registry.entries("losses"))                  # doctest: +ELLIPSIS
['l1', ...]
"""

from __future__ import annotations

from msbench.system.safe_path import leave_out_working_folder

leave_out_working_folder()  # before anything is imported that it could hold

import importlib  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

from msbench import registry  # noqa: E402
from msbench.public import PUBLIC, VERSION  # noqa: E402

__version__ = VERSION

__all__ = [  # the names of PUBLIC, spelled out for those who read without running
    "MUSDB_TARGETS",
    "STFT",
    "BandRoformer",
    "Batch",
    "Board",
    "ComplexSpectrogramSeparator",
    "ConvUNet",
    "Converted",
    "Dataset",
    "FilterBankSeparator",
    "HybridDemucs",
    "HybridShape",
    "LayerScale",
    "RMSNorm",
    "ResidualBranches",
    "RoformerShape",
    "RotaryEmbedding",
    "RotaryTransformer",
    "SameConv2d",
    "SameConvTranspose2d",
    "Separator",
    "SpectrogramSeparator",
    "Track",
    "Weights",
    "__version__",
    "bench",
    "bss_eval",
    "bss_eval_images",
    "bss_eval_images_framewise",
    "bss_eval_sources",
    "bss_eval_sources_framewise",
    "centre",
    "dual_path",
    "eval_dir",
    "eval_mus_track",
    "evaluate",
    "evaluate_estimates",
    "initialize",
    "kmeans",
    "load",
    "load_weights",
    "median_of_rows",
    "own_checkpoint",
    "read_tensorflow",
    "read_weights",
    "read_yaml",
    "refuse_other_fields",
    "registry",
    "require_known_stems",
    "save",
    "separate",
    "separate_files",
    "spread_points",
    "stems_of_components",
    "trained",
]

if TYPE_CHECKING:
    from msbench.benchmarking import bench
    from msbench.data.dataset import Dataset
    from msbench.data.track import Track
    from msbench.evaluation.museval_calls import eval_dir, eval_mus_track
    from msbench.evaluation.run import evaluate, evaluate_estimates
    from msbench.leaderboard.board import Board
    from msbench.metrics import (
        bss_eval,
        bss_eval_images,
        bss_eval_images_framewise,
        bss_eval_sources,
        bss_eval_sources_framewise,
    )
    from msbench.model.band_roformer import BandRoformer, RoformerShape
    from msbench.model.band_split import dual_path
    from msbench.model.checkpoints import save
    from msbench.model.clustering import kmeans, spread_points
    from msbench.model.complex_spectrogram import ComplexSpectrogramSeparator
    from msbench.model.components import require_known_stems, stems_of_components
    from msbench.model.demucs_layers import LayerScale, ResidualBranches
    from msbench.model.filter_bank import FilterBankSeparator
    from msbench.model.hybrid_demucs import HybridDemucs, HybridShape
    from msbench.model.layers import ConvUNet, SameConv2d, SameConvTranspose2d, centre, initialize
    from msbench.model.medians import median_of_rows
    from msbench.model.rotary_attention import RMSNorm, RotaryEmbedding, RotaryTransformer
    from msbench.model.separator import MUSDB_TARGETS, Batch, Separator, SpectrogramSeparator
    from msbench.model.stft import STFT
    from msbench.separation.batch import separate_files
    from msbench.separation.pipeline import separate
    from msbench.system.yaml_files import read_yaml
    from msbench.weights.catalogue import Weights
    from msbench.weights.opening import load, load_weights, trained
    from msbench.weights.published import own_checkpoint
    from msbench.weights.reading import Converted, read_weights, refuse_other_fields
    from msbench.weights.tensorflow import read_tensorflow


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(importlib.import_module(PUBLIC[name]), name)
    raise AttributeError(f"module 'msbench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
