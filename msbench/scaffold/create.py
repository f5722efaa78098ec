"""`msbench new`: a working plugin with its recipe and its test, to be changed into one's own; torch is not imported."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path
from string import Template

from msbench import registry
from msbench.scaffold.templates import MODELS, RECIPE, TEST
from msbench.system.files import write_text

LONGEST = 36  # letters of a name; the lines of the templates hold as many
_IMPORTED = ("Sequence", "Tensor", "Separator", "SpectrogramSeparator")  # what a template's class may not be called


def create_plugin(name: str, kind: str, folder: str | Path) -> list[Path]:
    """Write `name.py`, `name.yaml` and `test_name.py` into a folder, which is made if need be.

    Args:
        name: Of the model, in snake_case; its class is called the same in CamelCase.
        kind: `mask` for a mask on the spectrogram, `waveform` for a network from waveform to waveforms.
        folder: Where to.

    Returns:
        The three paths: model, recipe, test.

    Raises:
        ValueError: If the name is no snake_case identifier, is taken by a registered model or by a Python module, or
            the kind is unknown.
        FileExistsError: If one of the files is there already, or the folder is a file; then nothing is written.
        OSError: If they cannot be written; then none is left.
    """
    if kind not in MODELS:
        raise ValueError(f"unknown kind '{kind}': one of {', '.join(MODELS)}")
    _check_spelling(name)
    folder = Path(folder)
    paths = [folder / f"{name}.py", folder / f"{name}.yaml", folder / f"test_{name}.py"]
    taken = [str(path) for path in paths if path.exists()]
    if taken:
        raise FileExistsError(f"{' and '.join(taken)} would be overwritten: choose another name or folder")
    _check_free(name)
    fields = {"name": name, "class_name": class_name(name)}
    texts = [Template(text).substitute(fields) for text in (MODELS[kind], RECIPE, TEST)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise FileExistsError(f"{error.filename} is a file, not a folder: give another with -o") from error
    try:
        for path, text in zip(paths, texts, strict=True):
            write_text(path, text)
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise
    return paths


def class_name(name: str) -> str:
    """The class of a model's name.

    >>> class_name("my_net"), class_name("separator")
    ('MyNet', 'SeparatorNet')
    """
    camel = "".join(part.capitalize() for part in name.split("_"))
    return f"{camel}Net" if camel in _IMPORTED else camel


def _check_spelling(name: str) -> None:
    if keyword.iskeyword(name):
        reason = "is a word of Python"
    elif name.startswith("test_"):
        reason = "is that of a test, which pytest would collect"
    elif not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        reason = "is not in snake_case, like my_net"
    elif len(name) > LONGEST:
        reason = f"is longer than {LONGEST} letters"
    else:
        return
    raise ValueError(f"the name '{name}' {reason}: call it '{suggestion(name)}'")


def suggestion(name: str) -> str:
    """The nearest name that would do.

    >>> suggestion("My-Net 2"), suggestion("BigUNet"), suggestion("2stems"), suggestion("class"), suggestion("test_")
    ('my_net_2', 'big_unet', 'net_2stems', 'class_net', 'test')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    words = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    words = re.sub(r"^(test_)+", "", words)[: LONGEST - 4].rstrip("_")
    if not words:
        return "my_net"
    if words[0].isdigit():
        return f"net_{words}"
    return f"{words}_net" if keyword.iskeyword(words) else words


def _check_free(name: str) -> None:
    known = registry.entries("models")
    if name in known:
        raise ValueError(f"{known[name].described()} is registered already: call it 'my_{name}'")
    if importlib.util.find_spec(name) is not None:
        # In its folder it would be imported in place of the other, by pytest for one.
        raise ValueError(f"there is a Python module called '{name}' already: call it 'my_{name}'")
