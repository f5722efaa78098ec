"""The command line: parses, calls, prints. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import os
import select
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from msbench import registry
from msbench.cli import board, cluster, data, evaluate, models, separate, suites, weights
from msbench.cli.adding import adder
from msbench.public import VERSION
from msbench.system import errors
from msbench.system.exit_codes import CLOSED_PIPE, FAILED, INTERRUPTED
from msbench.system.terminal import show_any_name


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what goes wrong is one sentence on stderr.

    Returns:
        An exit code (`msbench.system.exit_codes`).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    show_any_name()
    try:
        code = _run([argument for argument in arguments if argument != "--debug"])
        sys.stdout.flush()  # here, where a closed pipe can still be told from a fault
        return code
    except KeyboardInterrupt:
        print("msbench: interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError as error:
        if not _stdout_is_closed():
            return _fail(error, debug)
        return CLOSED_PIPE
    except Exception as error:
        return _fail(error, debug)


def _run(arguments: list[str]) -> int:
    arguments = _take_plugins(arguments)
    if arguments[:1] == ["fit"]:  # LightningCLI parses the rest
        return models.fit(arguments[1:])
    options = _parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def _fail(error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    print(f"msbench: {errors.report(error)}", file=sys.stderr)
    return errors.exit_code(error)


def _stdout_is_closed() -> bool:
    """Whether nobody reads stdout any more; Python's last flush, at the end of the process, then goes nowhere."""
    try:
        stdout = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file: a test has replaced it
        return False
    poll = select.poll()  # a second flush would not tell: the first may have dropped what it could not write
    poll.register(stdout, 0)
    if not any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)
    return True


def _take_plugins(arguments: list[str]) -> list[str]:
    """Move every `--plugin FILE` into MSBENCH_PLUGINS, where the processes of a suite find them too."""
    rest, files, i = [], [], 0
    while i < len(arguments):
        if arguments[i] == "--plugin":
            if i + 1 == len(arguments):
                raise ValueError("--plugin needs a file or a folder")
            files.append(arguments[i + 1])
            i += 2
        elif arguments[i].startswith("--plugin="):
            files.append(arguments[i].removeprefix("--plugin="))
            i += 1
        else:
            rest.append(arguments[i])
            i += 1
    if files:
        paths = [str(Path(file).expanduser().resolve()) for file in files]
        before = [os.environ["MSBENCH_PLUGINS"]] if os.environ.get("MSBENCH_PLUGINS") else []
        os.environ["MSBENCH_PLUGINS"] = os.pathsep.join(before + paths)
        registry.plugin_files()  # a path that is not there is said at once
    return rest


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="msbench",
        description="A benchmark suite for music source separation.",
        epilog="Everywhere: --plugin FILE loads models of a single file, --debug shows tracebacks.",
    )
    parser.add_argument("--version", action="version", version=f"msbench {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = adder(commands)
    models.add(command)
    text = "train a model: -c RECIPE, any field as a flag; msbench fit -c unet_small --help"
    commands.add_parser("fit", help=text, add_help=False)
    separate.add(command)
    evaluate.add(command)
    suites.add(command)
    cluster.add(command)

    text = "the tables and pages of a board: build, check, import, serve, push"
    board.add(commands.add_parser("board", help=text, description=text[0].upper() + text[1:] + "."))

    text = "published weights: get, show; msbench list weights"
    weights.add(commands.add_parser("weights", help=text, description=text[0].upper() + text[1:] + "."))

    text = "datasets: their cards, whether they are whole, and copies that are read fast"
    data.add(commands.add_parser("data", help=text, description=text[0].upper() + text[1:] + "."))

    doctor = command("doctor", _doctor, "what works on this machine, and the fix for what does not")
    doctor.add_argument("--cluster", type=Path, metavar="PROFILE", help="look at a cluster instead")
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from msbench.cluster.examine import examine_cluster
    from msbench.doctor import examine

    failures = 0
    for finding in examine_cluster(options.cluster) if options.cluster else examine():
        failures += finding.needed and not finding.works
        mark = "ok  " if finding.works else "FAIL" if finding.needed else "no  "
        print(f"{mark}  {finding.name}: {finding.detail}{'' if finding.works else f'  -> {finding.fix}'}")
    return FAILED if failures else 0


if __name__ == "__main__":
    sys.exit(main())
