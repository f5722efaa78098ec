"""QUASI: multitrack songs, <song>__snip_<from>-<to>__<instrument>.wav, or a folder for each song."""

from __future__ import annotations

from msbench.data.dataset import NOT_VERIFIED
from msbench.data.layouts.bases.multitrack import Multitrack


class QUASI(Multitrack):
    """QUASI (Liutkus, Badeau and Richard 2011): some ten songs as separate tracks; their sum is the mixture.

    Where a folder holds mix.wav or mixture.wav, that is the mixture. The names of excerpts, and of the instruments of
    ten songs, are those that TEST.m of nkeriven/alpha_stable_bss opens; those of whole songs, a folder for each, are
    from nowhere: another layout is told by options.stems of the stem map.
    """

    name = "quasi"
    download = "http://www.tsi.telecom-paristech.fr/aao/en/2012/03/12/quasi/"
    licence = "Creative Commons, each song its own; see the files that come with it"
    citation = (
        'Liutkus, Badeau and Richard, "Gaussian processes for underdetermined source separation", '
        "IEEE Trans. Signal Processing 59(7), 2011"
    )
    rates = (44100,)
    verified = f"{NOT_VERIFIED}; file names of its excerpts from nkeriven/alpha_stable_bss"
    sum_error_db = None  # a mix of its own has effects that the tracks lack
