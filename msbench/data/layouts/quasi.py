"""QUASI: multitrack songs, <song>__snip_<from>-<to>__<instrument>.wav, or a folder for each song."""

from __future__ import annotations

from msbench.data.layouts.bases.multitrack import Multitrack


class QUASI(Multitrack):
    """QUASI (Liutkus, Badeau and Richard 2011): some ten songs as separate tracks; their sum is the mixture.

    Where a folder holds mix.wav or mixture.wav, that is the mixture.
    """

    name = "quasi"
    download = "http://www.tsi.telecom-paristech.fr/aao/en/2012/03/12/quasi/"
    licence = "Creative Commons, each song its own; see the files that come with it"
    citation = (
        'Liutkus, Badeau and Richard, "Gaussian processes for underdetermined source separation", '
        "IEEE Trans. Signal Processing 59(7), 2011"
    )
    rates = (44100,)
    sum_error_db = None  # a mix of its own has effects that the tracks lack
