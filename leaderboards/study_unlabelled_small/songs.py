"""Write songs without stems for this study, and the list of where they lack a target: python songs.py

Twelve more songs of the demo's kind, made from another seed, so that none is in its dataset. Each lacks one of the four
stems from end to end, and only its mixture is kept. The list is therefore the truth. `msbench data silences` makes such
lists of real songs from what a trained model hears.
"""

import json
from pathlib import Path

import soundfile

from msbench.data.demo.songs import SAMPLE_RATE, STEMS, song_stems

SEED = 1  # that of the demo's own songs is 0
COUNT = 12


def write_songs(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    songs = {}
    for index in range(COUNT):
        stems, lacking = song_stems(index, seed=SEED), STEMS[index % len(STEMS)]
        path = folder / f"{index + 1:02} without {lacking}.wav"
        soundfile.write(path, stems["mixture"] - stems[lacking], SAMPLE_RATE, subtype="PCM_16")
        seconds = len(stems["mixture"]) / SAMPLE_RATE
        silent = {stem: [[0.0, seconds]] if stem == lacking else [] for stem in STEMS}
        songs[path.name] = {"seconds": seconds, "state": {"bytes": path.stat().st_size}, "silent": silent}
    (folder / "silences.json").write_text(json.dumps({"targets": STEMS, "songs": songs}, indent=1) + "\n")


if __name__ == "__main__":
    write_songs(Path(__file__).parent / "songs")
