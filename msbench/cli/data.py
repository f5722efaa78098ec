"""`msbench data ...`: parses, calls, prints."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from msbench.cli.adding import adder

_NOTES = 30  # that are printed; Slakh's leave out 390 tracks


def add(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `msbench data` its commands; each sets `run`."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)

    command = adder(commands)

    card = command("card", _card, "what a dataset holds: tracks, hours, rates, targets, loudness, license, citation")
    _add_dataset(card)
    card.add_argument("--json", action="store_true", help="for a program to read")

    verify = command("verify", _verify, "read all of a dataset, say what is wrong, and write its manifest of hashes")
    _add_dataset(verify)
    _add_jobs(verify)

    prepare = command("prepare", _prepare, "decode, map and resample a dataset once, into WAV files that are read fast")
    _add_dataset(prepare)
    output = "folder; give it as --root of the same dataset from then on"
    prepare.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help=output)
    prepare.add_argument("--sample-rate", type=int, metavar="HZ", help="resample to this (each song's own)")
    _add_jobs(prepare)

    silences = command(
        "silences", _silences, "where songs without stems lack a target, for data.unlabelled of a recipe"
    )
    silences.add_argument("checkpoint", type=Path, help="of a trained model")
    silences.add_argument("folder", type=Path, help="the songs; the list is written here, as silences.json")
    threshold = "level of a silent target's estimate, relative to the mixture (-30)"
    silences.add_argument("--threshold-db", type=float, default=-30.0, metavar="DB", help=threshold)
    silences.add_argument("--device", help="cpu or cuda (cuda where there is one)")

    show = command("show", _show, "draw a track: waveforms and spectrograms, also of estimates with their references")
    _add_dataset(show)
    show.add_argument("track", help="its name")
    show.add_argument("--split", help="of the track (any)")
    show.add_argument(
        "--start", type=float, metavar="S", help="first second shown (the middle of the track where left out)"
    )
    show.add_argument("--seconds", type=float, default=10.0, metavar="S", help="shown (10)")
    show.add_argument("--estimates", type=Path, metavar="DIR", help="draw DIR/[SPLIT/]TRACK/TARGET.wav, or .flac, too")
    show.add_argument("-o", "--output", type=Path, metavar="FILE", help="PNG (NAME-SPLIT-TRACK.png)")

    demo = command("demo", _demo, "write the demo songs")
    demo.add_argument("-o", "--output", type=Path, help="folder ($MSBENCH_DATA/demo, or data/demo)")


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="a registered dataset (msbench list datasets)")
    parser.add_argument("--root", type=Path, help="its folder ($MSBENCH_DATA/NAME, or data/NAME)")
    stem_map = "YAML of targets and their instruments (ROOT/stem_map.yaml, or the one that comes with msbench)"
    parser.add_argument("--stem-map", type=Path, metavar="FILE", help=stem_map)


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=_at_least_one, help="songs at a time (one per processor)")


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)


def _opened(options: argparse.Namespace, *, keep_faults: bool = False) -> Any:
    from msbench.data.opening import open_dataset

    return open_dataset(options.name, options.root, options.stem_map, keep_faults=keep_faults)


def _card(options: argparse.Namespace) -> int:
    from msbench.data.upkeep.card import as_text, card

    made = card(_opened(options))
    print(json.dumps(made, indent=1, ensure_ascii=False) if options.json else as_text(made))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from msbench.data.upkeep.song_check import ERROR, NOTE
    from msbench.data.upkeep.verify import verify

    data = _opened(options, keep_faults=True)
    report = verify(data, jobs=options.jobs)
    for level, sentence in report.findings:
        if level != NOTE:
            print(f"{level:<7}  {sentence}", file=sys.stderr if level == ERROR else sys.stdout)
    _print_notes([sentence for level, sentence in report.findings if level == NOTE])
    counted = ", ".join(f"{count} in {split}" for split, count in report.tracks.items())
    if report.errors:
        count = len(report.errors)
        print(f"msbench: '{data.name}' at {data.root} has {count} errors ({counted} tracks)", file=sys.stderr)
        return 1
    print(f"ok       '{data.name}' at {data.root} is whole: {counted}")
    if report.written:
        print(f"manifest {report.written}  sha256 {data.manifest_sha256}")
    return 0


def _prepare(options: argparse.Namespace) -> int:
    from msbench.data.upkeep.prepare import plan

    data = _opened(options)
    preparation = plan(data, options.output, sample_rate=options.sample_rate)
    needed, free = preparation.bytes_needed / 1e9, preparation.bytes_free / 1e9
    songs = f"{len(preparation.missing)} songs to prepare, {len(preparation.stored)} done before"
    print(f"{songs}; about {needed:.2f} GB to write, {free:.1f} GB free")
    prepared = preparation.run(options.jobs)
    _print_notes(prepared.notes)
    print(f"{prepared.root}: give it as the root of '{data.name}'")
    return 0


def _show(options: argparse.Namespace) -> int:
    from msbench.data.upkeep.figures import estimates_figure, find_track, save, shown_part, track_figure

    data = _opened(options)
    track = find_track(data, options.track, options.split)
    part = shown_part(track, options.start, options.seconds)
    if options.estimates is None:
        figure = track_figure(data, track, part)
    else:
        from msbench.evaluation.folder_source import FolderSource

        source = FolderSource(options.estimates, data, track.split, tracks=[track])
        with source.estimates(track) as estimates:
            figure = estimates_figure(data, track, part, source.targets, estimates.read)
    path = options.output or Path(f"{data.name}-{track.split}-{track.name}.png")
    save(figure, path)
    print(path)
    return 0


def _print_notes(notes: list[str]) -> None:
    for note in notes[:_NOTES]:
        print(f"note     {note}")
    if len(notes) > _NOTES:
        print(f"note     and {len(notes) - _NOTES} more")


def _silences(options: argparse.Namespace) -> int:
    from msbench.model.devices import device_or_default
    from msbench.separation.silences import find

    device = device_or_default(options.device)
    found, failed = find(options.checkpoint, options.folder, threshold_db=options.threshold_db, device=device)
    for sentence in failed:
        print(f"warning  {sentence}", file=sys.stderr)
    for target in found["targets"]:
        spans = [end - start for song in found["songs"].values() for start, end in song["silent"][target]]
        hours, longest = sum(spans) / 3600, max(spans, default=0)
        print(f"{target:<12} {hours:.2f} h silent, {longest:.1f} s at the longest")
    print(f"{len(found['songs'])} songs listed: train with --data.unlabelled {options.folder}")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from msbench.data.opening import open_dataset

    print(open_dataset("demo", options.output).root)
    return 0
