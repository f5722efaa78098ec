"""The packages that msbench uses: their releases, and whether they can be imported here."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from importlib import metadata

from msbench.doctor.finding import Finding
from msbench.doctor.installing import install, mend, wanted
from msbench.system.errors import named

EXTRAS = {  # extra -> (its packages, what needs them)
    "wandb": (("wandb",), "`msbench fit --wandb` and `msbench board push wandb` alone need it"),
    "tensorboard": (("tensorboard",), "`msbench fit --tensorboard true` alone needs it"),
    "perceptual": (("pesq", "pystoi"), "`--metrics stoi,pesq` alone needs it"),
}


def packages() -> Iterator[Finding]:
    wrong, missing = [], []
    for package in wanted():
        try:
            version = metadata.version(package.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{package.name} is missing")
            missing.append(str(package))
            continue
        if not package.specifier.contains(version, prereleases=True):
            wrong.append(f"{package.name} is {version}, not {package.specifier}")
            missing.append(str(package))
    yield Finding(
        "packages", not wrong, ", ".join(wrong) or "all that msbench asks for are here", True, install(*missing)
    )


def audio() -> Iterator[Finding]:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package is here, libsndfile is not
        yield Finding("soundfile", False, named(error), True, mend(error, "soundfile"))
    else:
        formats = soundfile.available_formats()
        missing = [each for each in ("WAV", "FLAC", "MP3") if each not in formats]
        detail = f"{soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}"
        detail += f", without {' and '.join(missing)}" if missing else " with WAV, FLAC and MP3"
        fix = install("soundfile", again=True) + " (its wheels hold libsndfile with FLAC and MP3)"
        yield Finding("soundfile", not missing, detail, "WAV" in missing, fix)
    yield imported("soxr", "soxr")


def scoring() -> Iterator[Finding]:
    try:
        from msbench.metrics.bsseval.museval import museval_metrics

        museval_metrics()
    except Exception as error:
        yield Finding("museval", False, named(error), True, mend(error, "museval"))
    else:
        yield Finding("museval", True, f"{metadata.version('museval')}, its metrics can be read", True, "")


def extras() -> Iterator[Finding]:
    for extra, (names, purpose) in EXTRAS.items():
        try:
            detail = ", ".join(f"{name} {metadata.version(name)}" for name in names)
            yield Finding(extra, True, detail, False, "")
        except metadata.PackageNotFoundError:
            yield Finding(extra, False, f"not installed; {purpose}", False, install(f"msbench[{extra}]"))


def lightning() -> Iterator[Finding]:
    yield imported("lightning", "lightning.pytorch")


def imported(name: str, module: str) -> Finding:
    """Whether a package that msbench needs can be imported, in which release."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module)
        return Finding(name, True, metadata.version(name), True, "")
    except Exception as error:  # a library that does not fit its neighbors may raise anything
        return Finding(name, False, named(error), True, mend(error, name))
