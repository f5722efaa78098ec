"""What `import msbench` offers: the version, and each public name with the module that defines it."""

VERSION = "0.1.0"

# name -> module that defines it; imported at first use, so that `import msbench` and the commands that need no
# tensor answer at once.
PUBLIC = {
    "Batch": "msbench.model.separator",
    "Board": "msbench.leaderboard.board",
    "ComplexSpectrogramSeparator": "msbench.model.complex_spectrogram",
    "ConvUNet": "msbench.model.layers",
    "Dataset": "msbench.data.dataset",
    "FilterBankSeparator": "msbench.model.filter_bank",
    "HybridDemucs": "msbench.model.hybrid_demucs",
    "HybridShape": "msbench.model.hybrid_demucs",
    "LayerScale": "msbench.model.demucs_layers",
    "MUSDB_TARGETS": "msbench.model.separator",
    "STFT": "msbench.model.stft",
    "SameConv2d": "msbench.model.layers",
    "SameConvTranspose2d": "msbench.model.layers",
    "Separator": "msbench.model.separator",
    "SpectrogramSeparator": "msbench.model.separator",
    "Track": "msbench.data.track",
    "bench": "msbench.benchmarking",
    "bss_eval": "msbench.metrics",
    "bss_eval_images": "msbench.metrics",
    "bss_eval_images_framewise": "msbench.metrics",
    "bss_eval_sources": "msbench.metrics",
    "bss_eval_sources_framewise": "msbench.metrics",
    "centre": "msbench.model.layers",
    "eval_dir": "msbench.evaluation.museval_calls",
    "eval_mus_track": "msbench.evaluation.museval_calls",
    "evaluate": "msbench.evaluation.run",
    "evaluate_estimates": "msbench.evaluation.run",
    "initialize": "msbench.model.layers",
    "kmeans": "msbench.model.clustering",
    "load": "msbench.model.checkpoints",
    "median_of_rows": "msbench.model.medians",
    "require_known_stems": "msbench.model.components",
    "save": "msbench.model.checkpoints",
    "separate": "msbench.separation.pipeline",
    "spread_points": "msbench.model.clustering",
    "stems_of_components": "msbench.model.components",
}
