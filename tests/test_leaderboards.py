"""The committed suites: every one can be read, and the settings of its cells fit what they are settings of."""

import copy
import runpy
from functools import reduce
from pathlib import Path

import pytest
import soundfile
import torch

from msbench.data.demo.songs import song_stems
from msbench.data.loading.module import SeparationData
from msbench.data.loading.unlabelled import read_list
from msbench.leaderboard.study_reported import check_figures, read_study_figures
from msbench.losses.criterion import Criterion
from msbench.model.checkpoints import create
from msbench.runs.suite import read_suite

BOARDS = Path(__file__).parents[1] / "leaderboards"
SUITES = sorted(path.parent.name for path in BOARDS.glob("*/suite.yaml"))
# Of each study of the literature: its cells, the baseline first.
STUDIES = {
    "study_unet_depth": {"unet_depth": [6, 3, 4, 5]},
    "study_unet_output": {"unet_output": [(True, "mask"), (True, "direct"), (False, "mask"), (False, "direct")]},
    "study_augmentation": {
        f"augmentation_{network}": ["none", "stretch", "envelope", "pitch", "all"] for network in ("unet", "wave_unet")
    },
    "study_wave_unet_variants": {"wave_unet_variants": [f"M{i}" for i in range(1, 8)]},
    "study_conditioning": {"conditioning": ["dedicated", "film-simple", "film-complex"]},
    "study_conv_tasnet_bank": {"conv_tasnet_bank": ["free", "stft", "sinc"]},
    "study_loss": {"loss": ["l1", "mse", "si_snr", "multi_resolution"]},
    "study_unlabelled": {"unlabelled": ["none", "quarter", "half"]},
    "study_phase": {"phase": ["wiener", "mixture", "griffin_lim"]},
    "study_training_tracks": {"training_tracks": [86, 10, 25, 50]},
}
SMALL = {"study_training_tracks_small": {"training_tracks": [8, 1, 2, 4]}}  # where the small twin has other cells


@pytest.mark.parametrize("name", SUITES)
def test_each_suite_is_read_and_its_board_has_the_name_of_its_folder(name: str) -> None:
    suite = read_suite(BOARDS / name)
    assert suite.cells
    assert suite.board == name


@pytest.mark.parametrize("name", [f"{study}{size}" for study in STUDIES for size in ("", "_small")])
def test_the_studies_of_the_literature_have_their_cells(name: str) -> None:
    found = {}
    suite = read_suite(BOARDS / name)
    for study in suite.studies:
        values = {label: tuple(factors.values()) for label, factors in study.cells.items()}
        first = values.pop(study.baseline)
        found[study.name] = [value if len(value) > 1 else value[0] for value in (first, *values.values())]
    assert found == SMALL.get(name, STUDIES[name.removesuffix("_small")])
    assert {cell.dataset for cell in suite.cells} <= ({"demo"} if name.endswith("_small") else {"musdb18", "musdb18hq"})


@pytest.mark.parametrize("name", sorted(path.parent.name for path in BOARDS.glob("study_*/reported.yaml")))
def test_published_figures_are_of_cells_of_the_study(name: str) -> None:
    studies = {study.name: study for study in read_suite(BOARDS / name).studies}
    figures = read_study_figures(BOARDS / name)
    check_figures(figures, studies)
    for figure in figures:
        assert figure.factors in studies[figure.study].cells.values(), figure.place


@pytest.mark.parametrize("name", [name for name in SUITES if name.startswith("study_")])
def test_the_settings_of_each_cell_fit_its_model_data_and_loss(name: str) -> None:
    for cell in {cell.label: cell for cell in read_suite(BOARDS / name).cells}.values():
        recipe = copy.deepcopy(cell.recipe or {})
        for key, value in cell.overrides.items():
            *groups, last = key.split(".")
            reduce(lambda held, group: held.setdefault(group, {}), groups, recipe)[last] = value
        with torch.device("meta"):
            separator = create(cell.model, recipe["separator"])
        form = {field: getattr(separator, field) for field in ("targets", "sample_rate", "channels")}
        SeparationData(**recipe["data"], **form)
        loss, domain = recipe["model"]["loss"], recipe["model"].get("loss_domain", "waveform")
        assert Criterion(loss, domain).domain in separator.loss_domains


def test_songs_without_stems_lack_what_their_list_says(tmp_path: Path) -> None:
    write_songs = runpy.run_path(str(BOARDS / "study_unlabelled_small" / "songs.py"))["write_songs"]
    write_songs.__globals__["COUNT"] = 1
    write_songs(tmp_path)
    ((name, song),) = read_list(tmp_path)["songs"].items()
    samples, rate = soundfile.read(tmp_path / name, dtype="int16")
    assert song["silent"] == {"drums": [[0.0, len(samples) / rate]], "bass": [], "other": [], "vocals": []}
    stems = song_stems(0, seed=1)
    assert (samples == stems["bass"] + stems["other"] + stems["vocals"]).all()
