"""No text that people read stands bare in a template, a module of the client, a page's module or an error."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jinja2

from server import errors, locales
from server.text.quotations import GONE

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "server" / "web" / "templates"
CLIENT = [path for path in (ROOT / "static").rglob("*.js") if "built" not in path.parts]
ERRORS = {"DomainError", *(kind.__name__ for kind in errors.DomainError.__subclasses__())}
# Chosen from a table of keys just above.
CHOSEN_TEXTS = {"hint", "text"}
# In the catalogue's sections that are named for a value.
NAMED_FOR_VALUES = ("badge.", "role.", "sort.", "state.")
HTML_TOKENS = {"data", "variable_begin"}
WITH_TEXT = {"alt", "aria-label", "placeholder", "title"}
# What a module of the client shows to people, or lets be spoken, and a text or texts that are given to it.
SHOWS = re.compile(
    r"(?:\b(?:textContent|ariaLabel|title|placeholder|alt|typing) = |"
    r"(?<!#)\b(?:setText|say|speak|label|append|prepend|replaceChildren|createTextNode|setAttribute)\()[^;{]*"
)
# What it asks of the page, or of the catalogue, and attributes that are no text.
ASKS = re.compile(
    r"""\b(?:t|querySelector(?:All)?|closest|matches|find|part|getAttribute|attribute|createElement)\("[^"]*"|"""
    r"""\b(?:includes|classList\.\w+)\("[^"]*"|[!=]== "[^"]*"|\bnew [A-Z][A-Za-z]+\("[^"]*"|"""
    r"""\bsetAttribute\("(?!aria-label"|alt"|placeholder"|title")[^"]*"(?:, "[^"]*")?"""
)
NAMES = re.compile("aria-label|alt|placeholder|title")
INSERTED = re.compile(r"\0[^}]*}")
LITERAL = re.compile(r"""(?s)"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`""")
COMMENT = re.compile(r"""(?s)/\*.*?\*/|(?m:(?:^|(?<=[\s;{}]))//[^\n]*)""")
PROSE = re.compile(r"""[A-Z][a-z]+,? [a-z]|[a-z] [a-z]+[.…!?]|[a-z]…|^["`](?:[A-Z][a-z]+| [a-z]+(?: [a-z]+)+)["`]$""")
# For those who run the server, not for its readers; and what the gallery's people say.
OF_OPERATORS = ("monitoring/metrics.py", "live/live_socket.py", "gallery/made_up.py")


def raised() -> Iterator[tuple[str, ast.Call, ast.expr]]:
    """Yield every place where an error is made, with its text."""
    for path in sorted((ROOT / "server").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ERRORS:
                yield f"{path.relative_to(ROOT)}:{call.lineno}", call, call.args[0]


def test_every_error_names_a_text_and_gives_its_values() -> None:
    english = locales.texts()
    seen = 0
    for place, call, text in raised():
        if isinstance(text, ast.Name):
            assert text.id in CHOSEN_TEXTS, place
            continue
        assert isinstance(text, ast.Constant), f"{place}: the text of an error is a key of the catalogue"
        key = str(text.value)
        given: dict[str, locales.Value] = {one.arg: 1 for one in call.keywords if one.arg}
        assert key in english, f"{place}: {key} is not in the catalogue"
        assert english(key, **given), place
        seen += 1
    assert seen > 100


class BareText(HTMLParser):
    """The words that stand in a template by themselves; `\0` stands for each expression."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within.append(tag)
        self.found += [value for name, value in attrs if name in WITH_TEXT and value and re.search(r"\w", value)]

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        is_name = data.strip() == "livethread"
        if re.search(r"\w\w", data) and not is_name and "code" not in self._within:
            self.found.append(data.strip())


def bare_texts(template: str) -> list[str]:
    """Return the words of a template that are not from the catalogue, in HTML and in expressions."""
    tokens = list(jinja2.Environment(autoescape=True).lex(template))
    parser = BareText()
    html = "".join("\0" if kind == "variable_begin" else text for _, kind, text in tokens if kind in HTML_TOKENS)
    # A tag may be chosen by an expression.
    parser.feed(html.replace("<\0", "<a"))
    spoken = [text[1:-1] for _, kind, text in tokens if kind == "string"]
    return parser.found + [text for text in spoken if re.match(r"[A-Z][a-z]|\w+ \w", text)]


def test_templates_have_no_text_of_their_own() -> None:
    assert bare_texts('<p title="{{ t("a.b") }}">{{ t("c.d") if x == "top" else "/t/" }}<code>run.py</code></p>') == []
    assert bare_texts('<p title="Now">To {{ "Log in" }}</p>') == ["Now", "To \0", "Log in"]
    found = {path.name: bare_texts(path.read_text(encoding="utf-8")) for path in TEMPLATES.glob("*.html")}
    assert {name: texts for name, texts in found.items() if texts} == {}
    assert len(found) > 12


def test_every_text_is_in_the_catalogue_and_none_is_left_over() -> None:
    """Keys are written out wherever they are used: in templates, and in modules as `section.key`."""
    used = {
        key
        for path in (*TEMPLATES.glob("*.html"), *(ROOT / "server").rglob("*.py"), *CLIENT)
        for key in re.findall(r"""["'](\w+\.\w+)["']""", path.read_text(encoding="utf-8"))
    }
    catalogue = {re.sub("_(one|other)$", "", key) for key, _ in locales.flat(locales.read("en"))}
    sections = {key.partition(".")[0] for key in catalogue}
    unknown = {key for key in used - catalogue if key.partition(".")[0] in sections}
    assert {key for key in unknown if not key.endswith((".html", ".py", ".js", ".css"))} == set()
    assert {key for key in catalogue - used if not key.startswith(NAMED_FOR_VALUES)} == set()


def literals(code: str) -> Iterator[str]:
    """Yield the texts between quotes, those within the expressions of a template literal by themselves."""
    for text in LITERAL.findall(code):
        yield INSERTED.sub("", text)
        for inserted in INSERTED.findall(text):
            yield from literals(inserted)


def bare_in_script(module: str) -> list[str]:
    """Return the words that a module of the client says of its own: sentences, and whatever it shows."""
    code = ASKS.sub("", COMMENT.sub("", module)).replace("${", "\0").replace(GONE, "")
    shown = [text for found in SHOWS.finditer(code) for text in literals(found[0])]
    return [text for text in shown if re.search(r"[A-Za-z]{2}", text) and not NAMES.fullmatch(text[1:-1])] + [
        text for text in literals(code) if PROSE.search(text)
    ]


def test_the_script_has_no_text_of_its_own() -> None:
    assert bare_in_script('say(t("live.back")); // Say it.\nfind(".status").textContent = `${count} ▸`;') == []
    for bare in [
        'place.textContent = isOn ? "Off" : t("keys.on")',
        "setText(more, `More (${count})`)",
        'button.setAttribute("aria-label", "Close")',
        'const TOLD = "Press again to go on"',
        "throw new Error(`It failed ${often} times in a row.`)",
    ]:
        assert bare_in_script(bare), bare
    found = {path.name: bare_in_script(path.read_text(encoding="utf-8")) for path in CLIENT}
    assert {name: texts for name, texts in found.items() if texts} == {}
    assert len(found) > 30


def bare_in_module(module: str) -> list[str]:
    """Return the sentences in a Python module that are neither documentation nor for the log."""
    tree = ast.parse(module)
    silent = {
        id(one)
        for node in ast.walk(tree)
        for one in (node.args if isinstance(node, ast.Call) and is_of_the_log(node) else [])
    } | {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent
        if PROSE.search(node.value)
    ]


def is_of_the_log(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "log"


def test_what_answers_requests_has_no_text_of_its_own() -> None:
    assert bare_in_module('def f():\n    """Tell it to people."""\n    log.info("It is told to %s", you)') == []
    assert bare_in_module('page(title="Your own page")') == ["Your own page"]
    found = {
        path.name: bare_in_module(path.read_text(encoding="utf-8"))
        for folder in ("actions", "web")
        for path in (ROOT / "server" / folder).rglob("*.py")
        if not str(path).endswith(OF_OPERATORS)
    }
    assert {name: texts for name, texts in found.items() if texts} == {}
    assert len(found) > 60


def test_a_text_in_a_style_sheet_is_there_in_every_language() -> None:
    said: dict[str, set[str]] = {}
    for path in (path for path in (ROOT / "static").rglob("*.css") if "built" not in path.parts):
        sheet = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for selector, rules in re.findall(r"([^{}]+)\{([^{}]*)", sheet):
            language = re.search(r":lang\((\w+)\)", selector)
            # Where it is said, or where it is given a value for a language.
            for name, content in re.findall(
                r"(?:content: var\(|content: |^\s*)(--\w+[,:])?\s*\"([^\"]*)\"", rules, re.MULTILINE
            ):
                if re.search(r"[^\W\d_]", content):
                    said.setdefault(name[:-1], set()).add(language[1] if language else locales.DEFAULT)
    languages = {path.stem.partition("-")[0] for path in locales.FOLDER.glob("*.json")}
    assert said
    assert all(found == languages for found in said.values()), said
