"""The published layouts of datasets, written with tiny files of their true formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import yaml

from msbench.data.dataset import Dataset
from tests.data.songs import STEMS, noise, write_musdb18hq

FRAMES = 4000


def store(path: Path, samples: np.ndarray, rate: int = 44100, subtype: str = "PCM_16") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def write_dsd100(root: Path) -> Path:
    """Names of songs as in dsdtools/configs/tracklist.csv of faroit/dsdtools."""
    songs = {
        "Dev": ("051 - AM Contra - Heart Peripheral", "055 - Angels In Amplifiers - I'm Alright"),
        "Test": ("001 - ANiMAL - Clinic A",),
    }
    for folder, names in songs.items():
        for i, name in enumerate(names):
            stems = {stem: noise(10 * i + k, FRAMES) for k, stem in enumerate(STEMS)}
            for stem, samples in stems.items():
                store(root / "Sources" / folder / name / f"{stem}.wav", samples)
            store(root / "Mixtures" / folder / name / "mixture.wav", sum(stems.values()))
    return root


def write_ikala(root: Path) -> Path:
    for i, clip in enumerate(("10161_chorus", "10161_verse", "21025_verse", "31081_verse", "45305_chorus")):
        store(root / "Wavfile" / f"{clip}.wav", noise(i, FRAMES))
    (root / "PitchLabel").mkdir()
    return root


def write_mir1k(root: Path) -> Path:
    for i, clip in enumerate(("abjones_1_01", "abjones_5_08", "amy_9_09", "amy_1_01", "Kenshin_1_01", "ariel_2_07")):
        store(root / "Wavfile" / f"{clip}.wav", noise(i, FRAMES), 16000)
    (root / "UndividedWavfile").mkdir()
    return root


def write_ccmixter(root: Path) -> Path:
    """Names of songs as in CCMixter.xml of f90/Wave-U-Net; one is mono there too."""
    songs = {
        "AlexBeroza_-_To_Be_Sensitive_(with_mindmapthat)": 2,
        "Kamihamiha_-_Kamihamiha_-_Trash_The_Disco_(Stems)": 2,
        "casimps1_-_Bingo_(B-I-N-G-O)": 2,
        "copperhead_-_Need_You_Baby": 1,
        "tmray_-_Forget_It_-_Demo": 2,
        "unreal_dm_-_Big_John (with_snowflake)": 2,
    }
    for i, (song, channels) in enumerate(songs.items()):
        music, voice = noise(2 * i, FRAMES, channels), noise(2 * i + 1, FRAMES, channels)
        for name, samples in (("source-01", music), ("source-02", voice), ("mix", music + voice)):
            store(root / song / f"{name}.wav", samples)
    (root / "README").write_text("The corpus has a file beside its songs.")
    return root


# Track -> artist, has_bleed, the instruments of its stems; but for the last track as MedleyDB's metadata (MIT License)
# have it.
MEDLEY = {
    "AClassicEducation_NightOwl": (
        "A Classic Education",
        "no",
        [
            *["electric bass", "drum set", "distorted electric guitar", "distorted electric guitar"],
            *["clean electric guitar", "distorted electric guitar", "distorted electric guitar", "male singer"],
            *["synthesizer", "vocalists", "tambourine", "fx/processed sound", "male singer"],
        ],
    ),
    "LizNelson_ImComingHome": ("Liz Nelson", "yes", ["female singer"] * 4),
    "LizNelson_Rainfall": (
        "Liz Nelson & Jennifer Davies",
        "no",
        [*["female singer"] * 3, "acoustic guitar", "clean electric guitar"],
    ),
    "Phoenix_ScotchMorris": ("Phoenix", "yes", ["acoustic guitar", "flute", "violin", "Main System"]),
    "Somebody_Mine": ("Somebody", "no", ["drum set", ["electric bass", "piano"]]),
}


def write_medleydb(root: Path) -> Path:
    for i, (track, (artist, bleed, instruments)) in enumerate(MEDLEY.items()):
        subtype = "PCM_24" if track == "LizNelson_Rainfall" else "PCM_16"
        folder, stems, total = root / "Audio" / track, {}, np.zeros((FRAMES, 2))
        for k, instrument in enumerate(instruments, 1):
            samples = noise(20 * i + k, FRAMES) / 32768
            name = f"{track}_STEM_{k:02d}.wav"
            store(folder / f"{track}_STEMS" / name, samples, subtype=subtype)
            raw = {"R01": {"filename": f"{track}_RAW_{k:02d}_01.wav", "instrument": instrument}}
            stems[f"S{k:02d}"] = {"component": "", "filename": name, "instrument": instrument, "raw": raw}
            total += samples / len(instruments)
        store(folder / f"{track}_MIX.wav", total)
        metadata = {
            "album": "",
            "artist": artist,
            "composer": [artist],
            "excerpt": "no",
            "genre": "Singer/Songwriter",
            "has_bleed": bleed,
            "instrumental": "no",
            "mix_filename": f"{track}_MIX.wav",
            "origin": "",
            "producer": [],
            "raw_dir": f"{track}_RAW",
            "stem_dir": f"{track}_STEMS",
            "stems": stems,
            "title": track.partition("_")[2],
            "version": 1.2,
            "website": [],
        }
        place = folder if i % 2 else root / "Metadata"  # beside the audio, or as the repository keeps them
        place.mkdir(exist_ok=True)
        (place / f"{track}_METADATA.yaml").write_text(yaml.safe_dump(metadata))
    return root


SLAKH = {  # track -> split, MIDI, the stems' classes; None for one that was not rendered
    "Track00001": ("train", "1a81", ["Bass", "Drums", "Guitar", "Guitar", "Synth Pad", None]),
    "Track00002": ("train", "0c3b", ["Piano", "Reed"]),
    "Track00004": ("train", "c613", ["Drums"]),
    "Track01501": ("validation", "ffff", ["Bass", "Strings (continued)"]),
    "Track01876": ("test", "eeee", ["Drums", "Piano"]),
    "Track01939": ("test", "c613", ["Drums"]),  # the MIDI file of Track00004
}


def write_slakh2100(root: Path) -> Path:
    for split, folder in (("train", "train"), ("validation", "validation"), ("test", "test")):
        tracks = {track: (midi, classes) for track, (place, midi, classes) in SLAKH.items() if place == split}
        write_slakh_tracks(root / folder, tracks)
    (root / "omitted" / "Track00049").mkdir(parents=True)  # where slakh-utils' redux puts the second renderings
    return root


def write_babyslakh(root: Path) -> Path:
    """BabySlakh: no splits, WAV at 16 kHz, and metadata that calls no stem rendered."""
    tracks = {track: SLAKH[track][1:] for track in ("Track00001", "Track00002")}
    return write_slakh_tracks(root, tracks, baby=True)


def write_slakh_tracks(parent: Path, tracks: dict[str, tuple[str, list[str | None]]], baby: bool = False) -> Path:
    """Folders of Slakh's tracks; the keys of metadata.yaml are those of the real Track00001 (CC BY 4.0)."""
    ending, rate = ("wav", 16000) if baby else ("flac", 44100)
    for i, (track, (midi, classes)) in enumerate(tracks.items()):
        folder, stems, total = parent / track, {}, np.zeros((FRAMES, 1), np.int16)
        for k, kind in enumerate(classes):
            stems[f"S{k:02d}"] = {
                "audio_rendered": kind is not None and not baby,
                "inst_class": kind or "Sound Effects",
                "integrated_loudness": -12.8,
                "is_drum": kind == "Drums",
                "midi_program_name": "Distortion Guitar",
                "midi_saved": kind is not None and not baby,
                "plugin_name": "elektrik_guitar.nkm" if kind else "None",
                "program_num": 30,
            }
            if kind:
                samples = noise(10 * i + k, FRAMES, 1)
                store(folder / "stems" / f"S{k:02d}.{ending}", samples, rate)
                total += samples
        store(folder / f"mix.{ending}", total, rate)
        (folder / "MIDI").mkdir()
        metadata = {
            "UUID": midi,
            "audio_dir": "stems" if baby else f"{track}/stems",
            "lmd_midi_dir": f"lmd_matched/O/O/H/TROOHTB128F931F9DF/{midi}.mid",
            "midi_dir": "MIDI" if baby else f"{track}/MIDI",
            "normalization_factor": -13.0,
            "normalized": True,
            "overall_gain": 0.18,
            "stems": stems,
            "target_peak": -1.0,
        }
        (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))
    return parent


def write_mass(root: Path) -> Path:
    song = root / "tamy-que_pena_tanto_faz (bossanova)" / "tamy-que_pena_tanto_faz_6-19"
    for k, name in enumerate(("guitar", "vocals")):
        store(song / "tracks_with_effects" / f"{name}.wav", noise(k, FRAMES), subtype="PCM_24")
        store(song / "tracks_without_effects" / f"{name}.wav", noise(90 + k, FRAMES), subtype="PCM_24")
    dry = root / "bearlin-roads" / "bearlin-roads_85-99" / "tracks_without_effects"
    for k, name in enumerate(("kick", "bass", "lead_vox", "piano")):
        store(dry / f"{name}.wav", noise(10 + k, FRAMES, 1))
    sisec = root / "dev2__another_dreamer-the_ones_we_love__tracks"
    for k, name in enumerate(("drums", "vocals")):
        store(sisec / f"dev2__another_dreamer-the_ones_we_love__snip_69_94__{name}.wav", noise(20 + k, FRAMES))
    return root


def write_quasi(root: Path) -> Path:
    """The excerpt's names as in TEST.m of nkeriven/alpha_stable_bss; the folder of a song is made up."""
    for k, name in enumerate(("bass", "drums", "lead_vocal", "gtr", "vibes", "keyboards")):
        song = "08_nine_inch_nails-good_soldier__snip_104-134"
        store(root / f"{song}__{name}.wav", noise(k, FRAMES, 1 if name == "bass" else 2), 48000)
    for k, name in enumerate(("voix principale", "caisse claire", "mix")):
        store(root / "11 Vieux Farka Touré - Ana" / f"{name}.wav", noise(10 + k, FRAMES))
    return root


def write_folder(root: Path) -> Path:
    for split, track in (("train", "één"), ("train", "два"), ("valid", "三"), ("test", "d")):
        for k, stem in enumerate(("vocals", "strings")):
            store(root / split / track / f"{stem}.flac", noise(k, FRAMES, 1), 48000, "PCM_24")
    return root


def write_csv(folder: Path) -> Path:
    lines = ["split,track,target,path"]
    for split, track in (("train", "een"), ("test", "d")):
        for k, stem in enumerate(("vocals", "other")):
            store(folder / "audio" / f"{track} {stem}.wav", noise(k, FRAMES), subtype="FLOAT")
            lines.append(f"{split},{track},{stem},audio/{track} {stem}.wav")
    table = folder / "songs.csv"
    table.write_text("\n".join(lines))
    return table


WRITERS = {
    "ccmixter": write_ccmixter,
    "dsd100": write_dsd100,
    "folder": write_folder,
    "ikala": write_ikala,
    "mass": write_mass,
    "medleydb": write_medleydb,
    "mir1k": write_mir1k,
    "mir1k_0db": write_mir1k,
    "musdb18hq": write_musdb18hq,
    "quasi": write_quasi,
    "slakh2100": write_slakh2100,
}


def samples(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def names(data: Dataset) -> dict[str, list[str]]:
    return {split: [track.name for track in data.tracks(split)] for split in data.splits}
