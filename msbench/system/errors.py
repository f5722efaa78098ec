"""Which errors are bad input, which are failed runs and which are bugs, and what each says in one sentence.

What decides is who raised. An error that msbench or a plugin raises with a sentence of its own is meant for the user.
Whatever a library raises, or Python itself for a slip in our code, is a bug until a place that knows what the user
did catches it and says that in a sentence.
"""

from __future__ import annotations

import contextlib
import dis
import errno
import unicodedata
from collections.abc import Iterator

from msbench.system.exit_codes import BAD_INPUT, FAILED

# Top-level packages whose `raise` speaks to the user. `msbench.registry` adds those of the plugins it imports.
AUTHORS = {"msbench", "msbench_plugins", "msbench_leaderboards", "msbench_slurm"}
SINGLE_FILE = "msbench_plugin_"  # how the modules of single-file plugins begin

_NO_SUCH_PLACE = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
_INPUT = (ValueError, TypeError, LookupError, ImportError, *_NO_SUCH_PLACE)
# What the machine refuses, whatever code asks for it: neither the user's input nor our bug.
_MACHINE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.EIO}
_MARK = "msbench_raised_on_purpose"
_RAISE = dis.opmap["RAISE_VARARGS"]
LONGEST = 2000


def is_deliberate(error: BaseException) -> bool:
    """Whether msbench or a plugin raised an error on purpose, by a `raise` statement of its own."""
    marked: bool | None = getattr(error, _MARK, None)
    if marked is not None:
        return marked
    trace = error.__traceback__
    if trace is None or isinstance(error, AssertionError | NotImplementedError):  # these speak to developers
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    names = trace.tb_frame.f_globals
    module = names.get("__name__", "")
    if module == "__main__" and names.get("__spec__") is not None:
        module = names["__spec__"].name  # python -m msbench.cluster.cell
    ours = module.partition(".")[0] in AUTHORS or module.startswith(SINGLE_FILE)
    return ours and trace.tb_frame.f_code.co_code[trace.tb_lasti] == _RAISE


def mark(error: BaseException) -> None:
    """Keep on an error who raised it, before it travels to another process and loses its traceback."""
    setattr(error, _MARK, is_deliberate(error))


def is_bad_input(error: BaseException) -> bool:
    """Whether the user can mend it: an error raised on purpose, of a kind that speaks of what was given."""
    return isinstance(error, _INPUT) and is_deliberate(error)


def is_bug(error: BaseException) -> bool:
    """Whether nobody meant it: neither raised on purpose nor a refusal of the machine."""
    return not (is_deliberate(error) or (isinstance(error, OSError) and error.errno in _MACHINE))


def exit_code(error: BaseException) -> int:
    """BAD_INPUT for bad input, else FAILED."""
    return BAD_INPUT if is_bad_input(error) else FAILED


def sentence(error: BaseException) -> str:
    """What an error says, in one line that is safe to print: control characters are escaped, what is long is cut."""
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])  # its str() is a repr
    elif isinstance(error, OSError) and error.filename is not None and not is_deliberate(error):
        text = f"{error.filename}: {error.strerror}"
    else:
        text = str(error)
    return one_line(text) or type(error).__name__


def named(error: BaseException) -> str:
    """The sentence of an error behind the name of its kind, as for what a library raised: "ImportError: no x"."""
    kind, said = type(error).__name__, sentence(error)
    return kind if said == kind else f"{kind}: {said}"


def report(error: BaseException) -> str:
    """The sentence that a command ends with; that of a bug names its kind and the way to its traceback."""
    if not is_bug(error):
        return sentence(error)
    places = "".join(f"{one_line(note)}: " for note in reversed(getattr(error, "__notes__", [])))
    return f"{places}{named(error)} (a bug in msbench or a plugin: --debug shows where)"


def one_line(text: str, longest: int = LONGEST) -> str:
    """Text in one line: each run of white space is one space, each invisible character its escape, the rest is cut."""
    line = " ".join(text.split())
    begin = line[: longest + 1]  # what follows is cut in any case
    shown = "".join(_escaped(character) if _is_invisible(character) else character for character in begin)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character)[0] == "C"  # controls, those that turn the direction of writing among them


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


@contextlib.contextmanager
def located(place: str) -> Iterator[None]:
    """Put a place before the sentence of bad input that is raised within; a bug stays one, and notes the place."""
    try:
        yield
    except _INPUT as error:
        if not is_deliberate(error):
            error.add_note(place)
            raise
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(f"{place}: {sentence(error)}") from error
