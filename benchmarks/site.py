"""Builds the pages of a made-up board of 200 systems, 150 tracks, 5 targets and 3 seeds, and loads them in Chromium.

    uv run python benchmarks/site.py [--systems 200] [--tracks 150] [--seeds 3] [--keep DIR]

Prints seconds to read the records, to build, the table page's bytes, and its load time in a headless Chromium (if there
is one), over http, from an empty cache. Limits: 60 s for reading and building on two cores; 2 MB and 1 s for the page.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

TARGETS = ("vocals", "drums", "bass", "other", "accompaniment")
METRIC = f"bsseval-v4;win=1;hop=1;filters=512;agg=median-median;targets={','.join(TARGETS)}"


def record(system: int, seed: int, tracks: int, rng: np.random.Generator) -> dict[str, Any]:
    """A record whose scores follow the system's skill, the track's ease and noise."""
    ease = np.random.default_rng(1).normal(0, 2.5, (tracks, len(TARGETS), 1))
    values = 4 + 0.02 * system + ease + rng.normal(0, 1, (tracks, len(TARGETS), 4))
    names = [f"Artist {track:03d} - Song {track:03d}" for track in range(tracks)]
    scores = {
        name: {
            target: {metric: round(float(values[i, j, k]), 5) for k, metric in enumerate(("SDR", "SIR", "SAR", "ISR"))}
            for j, target in enumerate(TARGETS)
        }
        for i, name in enumerate(names)
    }
    label = f"system-{system:03d}"
    return {
        "schema_version": 1,
        "model": {
            "name": "made_up",
            "label": label,
            "role": "system",
            "options": {"width": system},
            "config_sha256": "0" * 64,
            "parameters": 10_000 * (system + 1),
            "targets": list(TARGETS),
            "adaptation": {},
        },
        "checkpoint": {"sha256": "0" * 64, "step": 1000, "epoch": 10, "selection": "best", "ema": False},
        "code": {"msbench": "0.1.0", "commit": "0" * 40, "dirty": None},
        "dataset": {
            "name": "made-up",
            "version": "1",
            "split": "test",
            "fingerprint": "0" * 64,
            "sample_rate": 44100,
            "tracks": names,
        },
        "inference": {"chunk_seconds": 10.0, "overlap": 0.25, "batch_size": 1, "device": "cpu", "dtype": "float32"},
        "metric": {"id": METRIC, "backend": "fast"},
        "seed": seed,
        "speed": {
            "real_time_factor": 0.01 + 0.001 * system,
            "seconds": 100.0,
            "peak_bytes": 10**8 + 10**7 * system,
            "hardware": "made up",
        },
        "environment": {"python": "3.11", "torch": "2.11", "numpy": "2.4"},
        "scores": scores,
    }


def write_board(folder: Path, systems: int, tracks: int, seeds: int) -> None:
    """Write systems x seeds records."""
    (folder / "records").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for system in range(systems):
        for seed in range(seeds):
            path = folder / "records" / f"system-{system:03d}-s{seed}.json"
            path.write_text(json.dumps(record(system, seed, tracks, rng)))


def load_times(board: Path, pages: list[str]) -> None:
    """Print bytes and milliseconds of each page in Chromium."""
    from playwright.sync_api import sync_playwright

    from msbench.leaderboard.site.serve import HOST, server

    running = server(board, 0)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for page_name in pages:
            sizes: list[int] = []
            page = browser.new_context().new_page()
            page.on("response", lambda response, sizes=sizes: sizes.append(len(response.body())))
            started = time.perf_counter()
            page.goto(f"http://{HOST}:{running.server_port}/{page_name}", wait_until="load")
            # Painted with its charts, not only loaded: two frames after all scripts and data.
            page.wait_for_load_state("networkidle")
            timing = page.evaluate(
                "() => { const t = performance.getEntriesByType('navigation')[0];"
                " return [t.domContentLoadedEventEnd, t.loadEventEnd]; }"
            )
            seconds = time.perf_counter() - started
            page.wait_for_timeout(300)
            print(
                f"{page_name}: {sum(sizes) / 1e6:.2f} MB, loaded after {timing[1] / 1000:.2f} s "
                f"(network idle for 0.5 s after {seconds:.2f} s)"
            )
        browser.close()
    running.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--tracks", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="write the board here and keep it")
    options = parser.parse_args()

    from msbench.leaderboard.board import Board
    from msbench.leaderboard.publish import publish

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "board"
        if not folder.exists():
            write_board(folder, options.systems, options.tracks, options.seeds)
        started = time.perf_counter()
        board = Board(folder)
        print(f"{options.systems * options.seeds} records read in {time.perf_counter() - started:.1f} s")
        between = time.perf_counter()
        publish(board)
        ended = time.perf_counter()
        print(f"exports and pages built in {ended - between:.1f} s; {ended - started:.1f} s in all")
        if shutil.which("chromium") or shutil.which("google-chrome"):
            load_times(folder, ["index.html", "compare.html", "tracks.html", "cost.html"])


if __name__ == "__main__":
    main()
