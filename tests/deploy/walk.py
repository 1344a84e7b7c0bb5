"""A walk through every page of a site, by its own links, forms and assets, as a browser without script makes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2

ADDRESSES = ("href", "src", "action", "formaction")
# Of a kind: one comment stands for all, and one value of a parameter.
_OF_A_KIND = re.compile(r"\d+|(?<==)[^&]+")
# Nobody is shut out of the rest of the walk.
GIVEN = {"banned": "no"}
LAST = ("/account/password", "/logout", "/account/close")


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """The addresses and forms of one page, as they are written there."""

    def __init__(self, html: str) -> None:
        super().__init__()
        # Those that lead somewhere, and those that forms or the script use.
        self.addresses: list[tuple[str, str]] = []
        self.others: list[tuple[str, str]] = []
        self._is_template = False
        self.forms: list[Form] = []
        self.feed(html)

    def handle_endtag(self, tag: str) -> None:
        self._is_template &= tag != "template"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._is_template |= tag == "template"
        leads = tag not in ("form", "button") and not self._is_template
        (self.addresses if leads else self.others).extend((tag, given[name]) for name in ADDRESSES if given.get(name))
        if tag == "form" and not self._is_template:
            self.forms.append(Form(given["action"], given.get("method", "get")))
        if tag in ("input", "button", "textarea") and self.forms and given.get("name"):
            value = GIVEN.get(given["name"]) or given.get("value") or "some words"
            self.forms[-1].fields.setdefault(given["name"], value)


class Walk:
    """One visitor's walk over the site at `address`, whose host it never leaves."""

    def __init__(self, address: str, client: httpx2.Client) -> None:
        self.base = urlsplit(address).path
        self.client = client
        self.origin = address.removesuffix(self.base)
        self.wrong: list[str] = []
        self.seen: set[str] = set()
        self.forms: dict[tuple[str, str], Form] = {}

    def read_all(self, *begin: str) -> None:
        """Follow every link and asset; those that differ by a number or in their query stand for each other."""
        waiting = [f"{self.base}{path}" for path in begin]
        while waiting:
            path = waiting.pop()
            kind = _OF_A_KIND.sub("N", path)
            if kind in self.seen:
                continue
            self.seen.add(kind)
            answer = self.client.get(self.origin + path, follow_redirects=False)
            if answer.is_redirect:
                waiting += self._own(path, answer.headers["location"], "redirect")
                continue
            if answer.status_code != 200:
                self.wrong.append(f"{path}: {answer.status_code}")
            self._cookies(path, answer)
            for one in self._addresses(path, answer):
                waiting += self._own(path, one[1], one[0])

    def send_all(self) -> None:
        """Send every form that was found with what stands in it, those that end the session at last."""
        for form in sorted(self.forms.values(), key=lambda form: form.action.endswith(LAST)):
            headers = {"Origin": self.origin}
            if form.method == "get":
                answer = self.client.get(self.origin + form.action, params=form.fields)
            else:
                answer = self.client.post(self.origin + form.action, data=form.fields, headers=headers)
            if answer.status_code not in (200, 303, 401, 403, 409, 422):
                self.wrong.append(f"{form.method} {form.action}: {answer.status_code}")
            self._cookies(form.action, answer)
            if answer.is_redirect:
                location = answer.headers["location"]
                if list(self._own(form.action, location, "redirect")):
                    landed = self.client.get(self.origin + location, headers={"Sec-Fetch-Site": "same-origin"})
                    if landed.status_code not in (200, 303, 401):
                        self.wrong.append(f"{form.action} leads to {location}: {landed.status_code}")

    def _addresses(self, path: str, answer: httpx2.Response) -> list[tuple[str, str]]:
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if kind == "text/html":
            page = Page(answer.text)
            for what, address in page.others:
                list(self._own(path, address, what))
            for form in page.forms:
                self.forms[_OF_A_KIND.sub("N", form.action), form.fields.get("state", "")] = form
            return page.addresses
        if kind == "text/javascript":
            return [("import", one) for one in re.findall(r'(?:from|import)\(?\s*"([^"]+)"', answer.text)]
        if kind == "text/css":
            return [("url", one) for one in re.findall(r'url\("?([^")]+)', answer.text)]
        if kind == "application/atom+xml":
            found = re.findall(r'<id>([^<]+)|href="([^"]+)"|href=&quot;(.*?)&quot;', answer.text)
            addresses = ["".join(one) for one in found]
            self.wrong += [f"{path}: {one} is not whole" for one in addresses if not one.startswith("http")]
            return [("feed", one) for one in addresses]
        return []

    def _own(self, path: str, found: str, what: str) -> Iterator[str]:
        whole = urlsplit(urljoin(self.origin + path, found))
        if f"{whole.scheme}://{whole.netloc}" != self.origin:
            if whole.netloc.startswith("127.0.0.1") or whole.hostname == "localhost":
                self.wrong.append(f"{path}: {what} {found} leaves the proxy")
            return
        if self.base and whole.path != self.base and not whole.path.startswith(f"{self.base}/"):
            self.wrong.append(f"{path}: {what} {found} leaves {self.base}")
            return
        yield whole.path + (f"?{whole.query}" if whole.query else "")

    def _cookies(self, path: str, answer: httpx2.Response) -> None:
        for cookie in answer.headers.get_list("set-cookie"):
            if f"; Path={self.base or '/'};" not in f"{cookie};":
                self.wrong.append(f"{path}: cookie {cookie}")
