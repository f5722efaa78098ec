"""MASS: <song>/tracks_with_effects/*.wav or tracks_without_effects/*.wav."""

from __future__ import annotations

from msbench.data.layouts.bases.multitrack import Multitrack


class MASS(Multitrack):
    """MASS (Vinyes 2008): excerpts of some ten songs as separate tracks with effects, of which SiSEC took its first.

    Their sum is the mixture, as loadSources.m has it, which its author wrote for it (M. Vinyes, 2008); its folders are
    from there. SiSEC's copies (<song>__tracks/<song>__snip_..__<instrument>.wav) are read alike; their names are those
    that zafarrafii/REPET-Matlab (README.md) and other code that opens SiSEC's data give. Their mixtures, outside the
    folder of the tracks, are not read.
    """

    name = "mass"
    download = "http://www.mtg.upf.edu/static/mass/resources"
    licence = "Creative Commons, each song its own; see the files that come with it"
    citation = 'M. Vinyes, "MTG MASS database", 2008, http://www.mtg.upf.edu/static/mass/resources'
    rates = (44100,)
    verified = "loaders alone: its author's loadSources.m; names of SiSEC's copies from code that opens them"
