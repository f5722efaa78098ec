"""A dataset's card: what it holds, measured, and what its publishers say of it."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from msbench.data.dataset import NOT_VERIFIED, Dataset
from msbench.data.track import MIXTURE, Track

_LOUDNESS_TRACKS, _LOUDNESS_SECONDS = 40, 60


def card(data: Dataset) -> dict[str, Any]:
    """Tracks, hours, rates, channels, formats, targets, loudness, licence, citation and splits of a dataset.

    Every file's header is read. The loudness (ITU-R BS.1770-4, LUFS) is that of the mixtures: of 40 tracks taken
    evenly from all, their middle minute.

    Raises:
        ValueError: If a file is broken, or there are no tracks.
        FileNotFoundError: If one is missing.
    """
    tracks = {split: data.tracks(split) for split in data.splits}
    every = list({(t.name, *sorted(t.files.values())): t for found in tracks.values() for t in found}.values())
    if not every:
        raise data.without_tracks()
    formats = Counter(path.suffix[1:].lower() or "none" for track in every for path in track.files.values())
    return {
        "name": data.name,
        "version": data.version,
        "root": str(data.root),
        "tracks": len(every),
        "hours": _hours(every),
        "splits": {split: {"tracks": len(found), "hours": _hours(found)} for split, found in tracks.items()},
        "split_rule": data.rule,
        "layout_verified_on": data.verified,
        "sample_rates": dict(sorted(Counter(track.sample_rate for track in every).items())),
        "channels": dict(sorted(Counter(track.channels for track in every).items())),
        "formats": dict(formats.most_common()),
        "targets": list(data.targets),
        "sums": {target: list(parts) for target, parts in data.sums.items()},
        "stem_map": dict(data.stem_map),
        "loudness_lufs": loudness(every),
        "left_out": len(data.notes),
        "licence": data.licence,
        "citation": data.citation,
        "download": data.download,
        "errata": dict(data.errata),
        "manifest_sha256": data.manifest_sha256,
    }


def loudness(tracks: list[Track]) -> dict[str, float] | None:
    """{"low", "median", "high"}: the quartiles of the mixtures' integrated loudness; None where all are silent."""
    import pyloudnorm

    step = max(1, -(-len(tracks) // _LOUDNESS_TRACKS))
    levels = []
    for track in tracks[::step]:
        frames = min(track.frames, _LOUDNESS_SECONDS * track.sample_rate)
        mixture = track.read(MIXTURE, (track.frames - frames) // 2, frames)
        block = min(0.4, frames / track.sample_rate)  # of the standard; a shorter track is a block by itself
        with np.errstate(divide="ignore"):  # of silence
            level = pyloudnorm.Meter(track.sample_rate, block_size=block).integrated_loudness(
                np.ascontiguousarray(mixture[:5].T, dtype=np.float64)
            )
        if math.isfinite(level):
            levels.append(level)
    if not levels:
        return None
    low, median, high = np.percentile(levels, [25, 50, 75])
    return {"low": round(low, 1), "median": round(median, 1), "high": round(high, 1)}


def as_text(card: dict[str, Any]) -> str:
    """The card for a terminal."""
    level = card["loudness_lufs"]
    rows = {
        card["name"]: f"version {card['version']}, {card['root']}",
        "tracks": f"{card['tracks']}, {card['hours']:.2f} h",
        **{f"  {name}": f"{s['tracks']}, {s['hours']:.2f} h" for name, s in card["splits"].items()},
        "split rule": card["split_rule"],
        "layout": _layout(card["layout_verified_on"]),
        "left out": f"{card['left_out']} tracks (msbench data verify says which)" if card["left_out"] else "",
        "sample rate": _counted(card["sample_rates"], "Hz", card["tracks"]),
        "channels": _counted(card["channels"], "", card["tracks"]),
        "formats": ", ".join(f"{count} {name}" for name, count in card["formats"].items()),
        "targets": ", ".join(card["targets"]),
        **{f"  {target}": " + ".join(parts) for target, parts in card["sums"].items()},
        "loudness": f"{level['median']} LUFS ({level['low']} to {level['high']})" if level else "silent",
        "licence": card["licence"],
        "citation": card["citation"],
        "from": card["download"],
        **{f"erratum {i}": f"{name}: {text}" for i, (name, text) in enumerate(card["errata"].items(), 1)},
        "manifest": card["manifest_sha256"] or "none yet: msbench data verify writes it",
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows.items() if text)


def _layout(verified: str) -> str:
    plain = not verified or verified.startswith(NOT_VERIFIED)
    return verified if plain else f"verified on {verified}"


def _hours(tracks: list[Track]) -> float:
    return round(sum(track.seconds for track in tracks) / 3600, 4)


def _counted(counts: dict[int, int], unit: str, tracks: int) -> str:
    return ", ".join(
        f"{value} {unit}".strip() + (f" ({count} tracks)" if count < tracks else "") for value, count in counts.items()
    )
