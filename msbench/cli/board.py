"""`msbench board ...`: parses, calls, prints."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from msbench.cli.adding import adder
from msbench.cli.board_warnings import board_warnings
from msbench.system.errors import one_line


def add(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `msbench board` its commands; each sets `run`."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)

    command = adder(commands)

    build = command("build", _build, "the tables and the pages, from the records")
    serve = command("serve", _serve, "look at the pages, from this machine alone")
    serve.add_argument("--port", type=int, default=8765, help="0 takes a free one (8765)")
    push = command("push", _push, "log tables and charts elsewhere")
    push.add_argument("where", choices=["wandb"])
    push.add_argument("--project", default="msbench", help="of Weights & Biases (msbench)")
    push.add_argument("--mode", choices=["online", "offline"], default="online")
    check = command("check", _check, "whether all that is published follows from the records")
    look = command("review", _review, "what a reviewer has to look at: others' labels, floors, records changed or gone")
    look.add_argument("--against", type=Path, required=True, metavar="BOARD", help="the same board without the change")
    take = command("import", _import, "rows of others: sisec18 CSV keeps SiSEC 2018's scores of tracks")
    take.add_argument("what", choices=["sisec18"])
    help_text = "medians of tracks; or the campaign's folder submissions/, for means too"
    take.add_argument("table", type=Path, metavar="CSV", help=help_text)
    take.add_argument("board", type=Path, nargs="?", default=Path("leaderboards/musdb18"))
    everything = command("publish", _publish, "the pages of several boards, checked, with a home in front of them")
    everything.add_argument("boards", type=Path, nargs="+", metavar="BOARD")
    everything.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="replaced where it is ours")
    everything.add_argument("--docs", default="", metavar="ADDRESS", help="of the documentation, or a path from DIR")
    for action in (build, serve, push, check, look):
        action.add_argument("board", type=Path)


def _build(options: argparse.Namespace) -> int:
    from msbench.leaderboard.board import Board
    from msbench.leaderboard.publish import publish

    with board_warnings():
        written = publish(Board(options.board))
    for path in written:
        print(path)
    return 0


def _check(options: argparse.Namespace) -> int:
    from msbench.leaderboard.check import check

    with board_warnings():
        faults = check(options.board)
    for fault in faults:
        print(f"msbench: {one_line(fault)}", file=sys.stderr)
    if not faults:
        print(f"{options.board}: every published number follows from the records")
    return 1 if faults else 0


def _publish(options: argparse.Namespace) -> int:
    from msbench.leaderboard.site.home import publish_boards

    with board_warnings():
        home, empty = publish_boards(options.boards, options.output, options.docs)
    for folder in empty:
        print(f"msbench: {folder} has no record yet, and was left out", file=sys.stderr)
    print(home)
    return 0


def _review(options: argparse.Namespace) -> int:
    from msbench.leaderboard.review import review

    for sentence in review(options.board, options.against):
        print(f"review: {options.board}: {one_line(sentence)}")
    return 0


def _import(options: argparse.Namespace) -> int:
    from msbench.leaderboard.sisec18 import import_sisec18

    for path in import_sisec18(options.table, options.board):
        print(path)
    return 0


def _serve(options: argparse.Namespace) -> int:
    from msbench.leaderboard.site.serve import HOST, server

    with server(options.board, options.port) as running:
        print(f"http://{HOST}:{running.server_port}/  (Ctrl+C ends it)", flush=True)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def _push(options: argparse.Namespace) -> int:
    from msbench.leaderboard.board import Board
    from msbench.leaderboard.push import push

    with board_warnings():
        board = Board(options.board)
    print(push(board, options.project, options.mode))
    return 0
