"""The shape of the command line. Standard library alone: `--help` needs nothing installed."""

import argparse
import math
import sys
from pathlib import Path

from server import __version__

# Tests, torture and benchmarks are in a checkout, and not in what is installed.
FOLDER = Path(__file__).resolve().parents[1]
IS_CHECKOUT = (FOLDER / "run.py").is_file()

SERVE = """Run the server: pages, the API and live updates in one process, from one SQLite file. Open the address that
it prints once it is listening. Configure it with LIVETHREAD_* environment variables; README.md lists them. On SIGTERM
or Ctrl-C it closes the readers' connections in batches, then stops."""

GATEWAY = """Serve live readers for a running app, in a separate process or on another machine. A gateway has no
database. It listens to Redis (LIVETHREAD_REDIS_URL), polls the app (LIVETHREAD_APP_URL) and shares its
LIVETHREAD_SECRET. Start as many as the readers need and let the proxy send /live to them."""

TEST = """Install the development dependencies (once), then run all tests with pytest in three processes: unit tests,
real servers, a real Valkey, real browsers, linters and type checks. Tests that cannot run here are listed with the
reason; with CI=true they fail instead. `test quick` leaves out browsers, injected failures and other slow tests, and
takes less than three minutes. `test coverage` and `test quick coverage` measure the branches of channels/ and server/
that the tests reach, also in the servers they start, and fail below the floor in pyproject.toml. Everything else after
`test` goes to pytest, and a selection runs in one process: `python3 run.py test tests/test_run.py -k help`."""

IMPORT = """Import existing discussions into the database, whether or not the server is running. If the file has
several pages, each becomes its own thread, with its address and title. The report counts every record of the file as
imported, or as skipped with the reason. Importing again adds what is missing and changes nothing else. If an author's
name belongs to an account here, the author is called NAME (imported). The file may be gzipped (.gz). A file that
cannot be parsed changes nothing, and the exit status is 2."""

FORMATS = {
    "jsonl": """One JSON object per line: id, parent, author, created, edited, score, removed, body_md. A text
without an author becomes Anonymous; a removed comment becomes a tombstone without its text.""",
    "remark42": """A Remark42 backup, or the JSON of its tree or list of comments. The texts are HTML, and only
the elements allowed in every comment are kept. If the file has the Markdown too, edits start from it.""",
    "disqus": """The XML export of Disqus, with every thread of a forum. Spam is skipped.""",
    "wordpress": """The XML export of WordPress (WXR), with every post and its comments. Spam and the comments on
posts that are not public are skipped. Comments awaiting approval await it here too.""",
    "isso": """The SQLite database of Isso, with every thread of a site.""",
    "artalk": """The JSON export of Artalk (Artrans), with every page of its sites.""",
    "commento": """The JSON export of Commento, with every page of a domain.""",
    "discourse": """The JSON of a Discourse topic (/t/TOPIC.json?print=true), including the first post. Whispers and
notes about actions on the topic are skipped.""",
}

REPLAY = """Post a discussion (jsonl) to a running server in its original order and timing, each comment under its own
author, to watch a live thread or to put load on a server. Pauses are capped at five seconds before `--speed` divides
them. Records that could not be posted are listed at the end."""

DEMO = """Start a server on a temporary database with an article and a conversation, and beside it a site on another
origin with the thread under the article. The second half of the conversation
arrives live while you read. Your own database is not touched."""

ACCOUNT = """Create or rename an account, change its role or set a new password, whether or not the server is running.
Create the first staff account here."""

PASSWORD = """Without --password, the password is prompted for on a terminal, or else read as one line from standard
input. Other users of the machine can see a password on the command line."""

SITE = """List or change the sites whose pages show threads of this server, whether or not it is running. A site has
one or more origins; its readers log in in a window of this server. docs/embed.md tells what to put into its pages."""

SITE_KEY = """Keys by which a site signs who its readers are, so that they need not log in again. Add the new key,
let the site sign by it, then remove the old one. docs/embed.md has examples."""

THREAD = """List threads, give a thread another address after its page has moved, or put the comments of one thread
under another. The old address still leads to them. Works whether or not the server is running."""

BACKUP = """Copy a snapshot of the database to a new file, whether or not the server is running. Writers do not wait.
The copy is checked before it gets its final name. If LIVETHREAD_SECRET is not set, keep LIVETHREAD_DATABASE.secret with
the backup."""

RESTORE = """Replace the database with a backup; the old database is kept beside it under another name. The server must
be stopped. The database gets a new epoch, so that open pages load their threads again instead of mistaking old versions
for new ones. If you copied a file back by hand, pass that file itself: then only the epoch changes."""

DOCTOR = """Look for what is wrong around livethread, and say it in words: settings, secrets, file modes and owners, the
file system, room on the disk, the database, descriptors, the clock, the port and each Redis. Nothing is changed, and a
running server is not disturbed. With --public also what browsers meet: the public name, the proxy's headers, and the
WebSocket through it. The exit status is 0 if nothing is wrong, 1 for warnings only, 2 for a fault."""

PLAN = """Work out how many gateways carry so many readers of one thread, what they ask of the app, Redis and the
network, and what gives out first. A model with measured constants, explained in docs/scale.md; it starts nothing."""

TORTURE = """Start apps, gateways and a Valkey, inflict every failure listed in docs/operations.md on them (kill -9,
power cuts, network cuts, full disks, a frozen Redis, clock jumps …), and report which promises held, with figures.
Without --quick it takes about an hour. Some scenarios need root; they say so when they are skipped."""

BENCH = """Measure the real server, pinned to one core, against baselines from the same run: the fan-out of a comment,
the cost of an idle reader, posts and pages. CPU time is measured, so a busy machine makes the run slower, not wrong."""

BENCHES = (
    "all", "fanout", "hot", "overload", "opening", "slow", "stall", "idle", "connect", "resume", "shutdown", "redis",
    "gateways", "posts", "pages", "votes", "long", "large", "page", "rivals",
)  # fmt: skip

EXPORT = """Write every comment of a thread to a file that `import jsonl` can read. It includes texts, votes and states,
also of removed comments, and the earlier texts of edited ones. A running server is not disturbed."""
ROLES = ("reader", "moderator", "staff")
ALGORITHMS = ("HS256", "EdDSA", "ES256")
THEMES = ("auto", "light", "dark")


def parser() -> argparse.ArgumentParser:
    """Return the whole tree; `command` is None for the server, else the name of the command."""
    program = "run.py" if Path(sys.argv[0]).name == "run.py" else "livethread"
    tree = argparse.ArgumentParser(
        prog=program, description=SERVE, epilog="Without a command it runs the server. Each command has its own --help."
    )
    tree.add_argument("--version", action="version", version=f"livethread {__version__}")
    commands = tree.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    commands.add_parser("gateway", help="one more live server for a running app", description=GATEWAY)
    _add_import(commands.add_parser("import", help="import discussions from a file", description=IMPORT))
    export = commands.add_parser("export", help="export a thread to a file", description=EXPORT)
    export.add_argument("format", choices=["jsonl"], metavar="FORMAT", help="jsonl")
    export.add_argument(
        "file", type=Path, metavar="FILE", help="a file that does not exist yet, or - for standard output"
    )
    export.add_argument("--thread", metavar="KEY", required=True, help="the thread's key")
    _add_replay(commands.add_parser("replay", help="post a discussion to a running server", description=REPLAY))
    demo = commands.add_parser("demo", help="show a live conversation on a temporary database", description=DEMO)
    _add_speed(demo)
    backup = commands.add_parser("backup", help="copy the database while it is in use", description=BACKUP)
    backup.add_argument(
        "file", type=Path, metavar="FILE", help="a file that does not exist yet, or - for standard output"
    )
    restore = commands.add_parser("restore", help="replace the database with a backup", description=RESTORE)
    restore.add_argument(
        "file", type=Path, metavar="FILE", help="a backup, - for standard input, or the database itself"
    )
    doctor = commands.add_parser("doctor", help="look for what is wrong with this installation", description=DOCTOR)
    doctor.add_argument("--public", action="store_true", help="ask livethread through its public name as well")
    doctor.add_argument("--gateway", action="store_true", help="examine a gateway, which has no database")
    _add_account(commands.add_parser("account", help="create or change an account", description=ACCOUNT))
    _add_site(commands.add_parser("site", help="list or change the sites that embed threads", description=SITE))
    _add_threads(commands.add_parser("thread", help="list, move or merge threads", description=THREAD))
    _add_plan(commands.add_parser("plan", help="how many gateways so many readers need", description=PLAN))
    if IS_CHECKOUT:
        _add_checks(commands)
    return tree


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the arguments read; exits with status 2 if they are wrong, 0 after --help."""
    # argparse would refuse pytest's options, or take them out of their order.
    if IS_CHECKOUT and argv[:1] == ["test"] and argv[1:] not in (["-h"], ["--help"]):
        is_quick = argv[1:2] == ["quick"]
        is_measured = argv[1 + is_quick : 2 + is_quick] == ["coverage"]
        given = argv[1 + is_quick + is_measured :]
        return argparse.Namespace(command="test", is_quick=is_quick, is_measured=is_measured, pytest=given)
    return parser().parse_args(argv)


def _add_checks(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    test = commands.add_parser(
        "test", help="run the tests", description=TEST, usage="run.py test [quick] [coverage] [pytest argument ...]"
    )
    test.add_argument("pytest", nargs="*", metavar="argument", help="passed to pytest unchanged")
    torture = commands.add_parser("torture", help="inject failures and check what was promised", description=TORTURE)
    torture.add_argument("--quick", action="store_true", help="the short run, at most three minutes")
    torture.add_argument("scenario", nargs="*", metavar="SCENARIO", help="only these (default: all; `list` names them)")
    bench = commands.add_parser("bench", help="measure the server against baselines", description=BENCH)
    bench.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)} (default: all)")
    bench.add_argument("--readers", type=int, default=10_000, metavar="N", help="how many readers (default: 10,000)")
    bench.add_argument("--json", action="store_true", help="print the results as JSON")
    bench.add_argument("--smoke", action="store_true", help="a tenth of the work, to see that the benchmarks run")
    bench.add_argument("--plot", type=Path, metavar="FILE", help="plot the cost of a delivery (fanout, hot) as SVG")


def _add_import(command: argparse.ArgumentParser) -> None:
    formats = command.add_subparsers(dest="format", metavar="FORMAT", title="formats", required=True)
    for name, description in FORMATS.items():
        form = formats.add_parser(name, help=description.split(".", 1)[0], description=description)
        form.add_argument("file", type=Path, metavar="FILE", help="the file to read")
        _add_thread(form)
        form.add_argument(
            "--ours", action="store_true", help="match its authors to accounts here, including those that can log in"
        )
        form.add_argument(
            "--verbose", action="store_true", help="print a line for each record that was skipped or changed"
        )
        form.add_argument("--title", metavar="T", help="the title, if the thread is new")
        form.add_argument("--author", metavar="NAME", help="author of the article, marked as Author in the thread")


def _add_replay(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="the discussion, as jsonl")
    _add_thread(command)
    _add_speed(command)


def _add_thread(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--thread", metavar="KEY", help="the thread's key (default: derived from the page's address or the file's name)"
    )


def _add_speed(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--speed", type=_positive, default=1.0, metavar="N", help="how many times faster than the original (default: 1)"
    )


def _add_plan(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--readers", type=_count, default=100_000, metavar="N", help="readers of the thread at once (default: 100000)"
    )
    command.add_argument(
        "--comments", type=_positive, default=200.0, metavar="N", help="comments in it a minute (default: 200)"
    )
    command.add_argument(
        "--minutes", type=_positive, default=10.0, metavar="N", help="the time within which all come (default: 10)"
    )
    command.add_argument(
        "--seconds",
        type=_positive,
        default=0.5,
        metavar="N",
        help="how late the last reader may see a comment, above 0.1 (default: 0.5)",
    )


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
    if not 1 <= number <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 1,000,000,000")
    return number


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number


def _add_site(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    add = actions.add_parser("add", help="add a site", description="Add a site by its origins.")
    add.add_argument("origins", nargs="+", metavar="ORIGIN", help="where its pages are, such as https://blog.example")
    add.add_argument("--id", metavar="ID", help="its id (default: the host of the first origin)")
    change = actions.add_parser("set", help="change a site", description="Change what is given; all else stays.")
    change.add_argument("id", metavar="ID")
    change.add_argument("--origin", dest="origins", action="append", metavar="ORIGIN", help="all its origins, one each")
    for one in (add, change):
        one.add_argument("--name", metavar="N", help="how readers know it (default: its id)")
        one.add_argument(
            "--login", dest="logins", action="append", metavar="WAY",
            help="how readers log in there, one each: password (the default); guest: by a name alone; sso: by a token "
            "that the site signs; oidc:NAME: by a provider of LIVETHREAD_OIDC",
        )  # fmt: skip
        one.add_argument(
            "--keep-query", dest="keep_query", action="append", metavar="NAME",
            help="a query parameter that tells one page from another (default: none)",
        )  # fmt: skip
        one.add_argument(
            "--moderates", action=argparse.BooleanOptionalAction, help="whether moderators may act as such there"
        )
        one.add_argument(
            "--language", metavar="TAG", help="where the reader's browser and the page ask for none that is offered"
        )
        one.add_argument("--theme", choices=THEMES, help="its colours (default: auto, as the page's)")
    remove = actions.add_parser(
        "remove", help="remove a site", description="Remove a site. Its threads stay, on this server's own pages."
    )
    remove.add_argument("id", metavar="ID")
    actions.add_parser("list", help="list the sites", description="List the sites and their settings.")
    _add_site_keys(actions.add_parser("key", help="keys for single sign-on", description=SITE_KEY))


def _add_site_keys(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="key_action", metavar="ACTION", title="actions", required=True)
    add = actions.add_parser("add", help="add a key", description="Add a key. A new secret is printed once.")
    listed = actions.add_parser("list", help="list the keys", description="List the keys of a site, without secrets.")
    remove = actions.add_parser(
        "remove", help="remove a key", description="Remove a key. Tokens that it has signed are refused from now on."
    )
    for one in (add, listed, remove):
        one.add_argument("id", metavar="SITE", help="the site's id")
    add.add_argument("key_id", metavar="KEY", help="a name for the key, which tokens give as kid")
    remove.add_argument("key_id", metavar="KEY")
    remove.add_argument(
        "--leaked", action="store_true",
        help="somebody else has the key: end all sessions that the site's tokens began, too",
    )  # fmt: skip
    add.add_argument(
        "--algorithm", choices=ALGORITHMS, default="HS256",
        help="HS256: a secret that both know (default); EdDSA, ES256: the site alone can sign",
    )  # fmt: skip
    add.add_argument(
        "--file", type=Path, metavar="FILE",
        help="the public key (PEM or JWK), or for HS256 a secret of the site's own in base64url",
    )  # fmt: skip


def _add_threads(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    listed = actions.add_parser("list", help="list threads", description="List threads, the last active first.")
    listed.add_argument("--site", default="", metavar="ID", help="those of one site (own: this server's own pages)")
    listed.add_argument("--limit", type=int, default=100, metavar="N", help="how many (default: 100)")
    move = actions.add_parser(
        "move", help="give a thread another address", description="Give a thread another address."
    )
    move.add_argument("old", metavar="OLD", help="its present address, or its key")
    move.add_argument("new", metavar="NEW", help="the new address of its page")
    merge = actions.add_parser(
        "merge", help="put the comments of one thread under another",
        description="Put the comments of the thread OLD under the thread NEW of the same site. Readers of OLD are led"
        " there, and so are its addresses. This cannot be undone.",
    )  # fmt: skip
    merge.add_argument("old", metavar="OLD", help="the address or key of the thread that goes")
    merge.add_argument("new", metavar="NEW", help="the address or key of the thread that stays")


def _add_account(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    create = actions.add_parser("create", help="create an account", description=f"Create an account. {PASSWORD}")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--role", choices=ROLES, default="reader", help="its role (default: reader)")
    create.add_argument("--password", metavar="P")
    role = actions.add_parser(
        "role", help="change the role of an account", description="Change the role of an account. It must log in again."
    )
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", choices=ROLES)
    rename = actions.add_parser(
        "rename", help="rename an account", description="Rename an account, wherever its name is shown."
    )
    rename.add_argument("name", metavar="NAME")
    rename.add_argument("to", metavar="NEW", help="the new name")
    password = actions.add_parser(
        "password", help="set a new password", description=f"Set a new password for an account. {PASSWORD}"
    )
    password.add_argument("name", metavar="NAME")
    password.add_argument("--password", metavar="P")
