"""The shape of the command line; standard library alone, no other module of ours: `--help` needs nothing installed."""

import argparse
import math
from pathlib import Path

SERVE = """Serve threads: pages, the API and live changes in one process, from one SQLite file. Open the address that it
prints when it listens. Everything is set by environment variables LIVETHREAD_*; docs/ and README.md list them. SIGTERM
and Ctrl-C send the readers away in order, then end it."""

GATEWAY = """Serve live readers beside a running app, in a process of its own or on another machine. A gateway has no
database: it hears Redis (LIVETHREAD_REDIS_URL), polls the app (LIVETHREAD_APP_URL) and shares its LIVETHREAD_SECRET.
Start as many as the readers need and let the proxy send /live to them."""

TEST = """Install what the tests need beside the libraries (once), then run all tests with pytest: unit tests, real
servers, a real Valkey, real browsers, linters and types; two processes share them. What cannot run here is named with
its reason; where CI=true it fails instead. Everything after `test` goes to pytest, and a part runs in one process:
`python3 run.py test tests/test_run.py -k help`."""

IMPORT = """Bring an existing discussion into the database, one thread a file, whether the server runs or not. Every
record of the file is counted in the report, as imported or as skipped with the reason. Importing the same file again
adds nothing. An author whose name is that of somebody here who can log in is called NAME (imported)."""

FORMATS = {
    "jsonl": """One JSON object a line: id, parent, author, created, edited, score, removed, body_md. No author but a
text becomes Anonymous; removed becomes a tombstone without its text.""",
    "remark42": """The JSON of a Remark42 backup or tree. Its texts are HTML: they pass the same list of allowed
elements as every comment.""",
}

REPLAY = """Post a discussion (jsonl) into a running server, in its own order and timing and as its own commenters, to
watch a thread live or to put load on a server. Pauses are capped at five seconds before `--speed` divides them. Records
that cannot be posted are listed at the end."""

DEMO = """Start a server on a fresh database with an article and a conversation, of which the second half arrives live
while you read. Nothing of it touches your own database."""

ACCOUNT = """Make an account, change what it may do, or give it a new password, whether the server runs or not. The
first account with the role staff is made here."""

PASSWORD = """Without --password it is asked for on the terminal, or read as one line from standard input where that is
no terminal. A password on the command line can be seen by other users of the machine."""

BACKUP = """Copy the database into a new file, as it is at one moment, whether the server runs or not: writers do not
wait. The copy is checked before it gets its name. Keep LIVETHREAD_DATABASE.secret with it where no LIVETHREAD_SECRET
is set."""

RESTORE = """Put a backup in the place of the database, which is kept beside it under another name. The server must be
stopped. The database gets a new epoch: pages that were open fetch their threads anew, instead of taking old versions
for new ones. Where a file was copied back by hand, give that file itself: then only the epoch is made anew."""

TORTURE = """Start apps, gateways and a Valkey, do them every damage that docs/operations.md lists (kill -9, power cuts,
cut networks, full disks, frozen Redis, jumping clocks …), and print what became of the promises, with their figures.
Without --quick it takes about an hour. Some scenarios need root and say so where they are skipped."""

BENCH = """Measure the real server, pinned to one core, beside baselines of the same run: the fan-out of a comment, what
an idle reader costs, posts and pages. CPU time is what counts: a busy machine makes it slower, not wrong."""

BENCHES = (
    "all", "fanout", "hot", "slow", "stall", "idle", "connect", "resume", "shutdown", "redis", "posts", "pages",
    "votes", "long",
)  # fmt: skip

EXPORT = """Write every comment of a thread to a file that `import jsonl` reads: texts, votes and states included, those
of removed comments and of edits too. A running server is not disturbed."""
ROLES = ("reader", "moderator", "staff")


def parser() -> argparse.ArgumentParser:
    """Return the whole tree; `command` is None for the server, else the name of the command."""
    tree = argparse.ArgumentParser(
        prog="run.py", description=SERVE, epilog="Without a command it serves. Each command has a --help of its own."
    )
    commands = tree.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    commands.add_parser("gateway", help="a live server more, beside a running app", description=GATEWAY)
    test = commands.add_parser(
        "test", help="run all tests", description=TEST, usage="run.py test [pytest argument ...]"
    )
    test.add_argument("pytest", nargs="*", metavar="argument", help="passed to pytest as it stands")
    _add_import(commands.add_parser("import", help="bring a discussion in from a file", description=IMPORT))
    export = commands.add_parser("export", help="write a thread to a file", description=EXPORT)
    export.add_argument("format", choices=["jsonl"], metavar="FORMAT", help="jsonl")
    export.add_argument("file", type=Path, metavar="FILE", help="a file that does not exist yet, or - for the output")
    export.add_argument("--thread", metavar="KEY", required=True, help="the thread's key")
    _add_replay(commands.add_parser("replay", help="post a discussion into a running server", description=REPLAY))
    demo = commands.add_parser("demo", help="show a live conversation on a fresh database", description=DEMO)
    _add_speed(demo)
    backup = commands.add_parser("backup", help="copy the database while it is used", description=BACKUP)
    backup.add_argument("file", type=Path, metavar="FILE", help="a file that does not exist yet")
    restore = commands.add_parser("restore", help="put a backup in the place of the database", description=RESTORE)
    restore.add_argument("file", type=Path, metavar="FILE", help="a backup, or the database itself")
    torture = commands.add_parser("torture", help="break everything and see what was promised", description=TORTURE)
    torture.add_argument("--quick", action="store_true", help="the short form, at most three minutes")
    torture.add_argument("scenario", nargs="*", metavar="SCENARIO", help="only these (default: all; `list` names them)")
    bench = commands.add_parser("bench", help="measure it beside baselines", description=BENCH)
    bench.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)} (default: all)")
    bench.add_argument("--readers", type=int, default=10_000, metavar="N", help="how many readers (default: 10,000)")
    bench.add_argument("--json", action="store_true", help="print the table for programs")
    bench.add_argument("--plot", type=Path, metavar="FILE", help="draw what a delivery costs (of fanout, hot), as SVG")
    _add_account(commands.add_parser("account", help="make or change an account", description=ACCOUNT))
    return tree


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the arguments read; exits with status 2 where they are wrong, 0 after --help."""
    # argparse would refuse pytest's options, or take them out of their order.
    if argv[:1] == ["test"] and argv[1:] not in (["-h"], ["--help"]):
        return argparse.Namespace(command="test", pytest=argv[1:])
    return parser().parse_args(argv)


def _add_import(command: argparse.ArgumentParser) -> None:
    formats = command.add_subparsers(dest="format", metavar="FORMAT", title="formats", required=True)
    for name, description in FORMATS.items():
        form = formats.add_parser(name, help=description.split(".", 1)[0], description=description)
        form.add_argument("file", type=Path, metavar="FILE", help="the file to read")
        _add_thread(form)
        form.add_argument(
            "--ours", action="store_true", help="its authors are the accounts here, also those that can log in"
        )
        form.add_argument("--title", metavar="T", help="the thread's title, where it is new")
        form.add_argument("--author", metavar="NAME", help="who wrote the article: marked as Author in the thread")


def _add_replay(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="the discussion, as jsonl")
    _add_thread(command)
    _add_speed(command)


def _add_thread(command: argparse.ArgumentParser) -> None:
    command.add_argument("--thread", metavar="KEY", help="the thread's key (default: made from the file's name)")


def _add_speed(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--speed", type=_positive, default=1.0, metavar="N", help="how many times faster than it was (default: 1)"
    )


def _positive(text: str) -> float:
    number = float(text)
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number


def _add_account(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    create = actions.add_parser("create", help="make an account", description=f"Make an account. {PASSWORD}")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--role", choices=ROLES, default="reader", help="what it may do (default: reader)")
    create.add_argument("--password", metavar="P")
    role = actions.add_parser(
        "role", help="change what an account may do", description="Change what an account may do. It must sign in anew."
    )
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", choices=ROLES)
    rename = actions.add_parser(
        "rename", help="give an account another name", description="Give an account another name, wherever it shows."
    )
    rename.add_argument("name", metavar="NAME")
    rename.add_argument("to", metavar="NEW", help="the name from now on")
    password = actions.add_parser(
        "password", help="give an account a new password", description=f"Give an account a new password. {PASSWORD}"
    )
    password.add_argument("name", metavar="NAME")
    password.add_argument("--password", metavar="P")
