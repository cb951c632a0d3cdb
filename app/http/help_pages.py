"""
The documents of `app/docs/` as pages: Markdown made into HTML once per document, in the style of the page.

A document is read in a repository, too, so its links are those of files: `rules.md#rules`. Here they become addresses
of pages. A link that leads out of the folder leads nowhere for a browser, and only its text stays. Where a document has
the comment `<!-- rules -->`, the table of rules stands, which nobody has to keep in step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from solver.rules import RULES, Rule

START = "index"
DOCUMENTS: Mapping[str, str] = {
    START: "Using the page",
    "rules": "The ladder and the rules",
    "data": "Data in and out",
    "api": "The API by example",
    "operations": "Operations",
    "deployment": "Deployment",
    "platform": "The platform",
    "failures": "What happens when",
    "limits": "What does not work yet",
}
"""Every document that is shown, in the order of the list beside them, with its name there."""
PICTURES = frozenset({"page.png"})
_FOLDER = files("app") / "docs"
_LINK = re.compile(r"(?P<name>[a-z]+)\.md(?P<anchor>#.*)?")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def slug(heading: str) -> str:
    """The anchor of a heading, as repositories make it: lower case, without punctuation, hyphens for blanks."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def picture(name: str) -> bytes:
    """One of `PICTURES`, a PNG."""
    return (_FOLDER / name).read_bytes()


@cache
def document(name: str, top: str) -> str:
    """
    One of `DOCUMENTS` as a whole page.

    `top` leads from the address of the page to the folder of all routes: empty, or "../" once or more.
    """
    heading = DOCUMENTS[name]
    text = (_FOLDER / f"{name}.md").read_text(encoding="utf-8")
    tokens = _MARKDOWN.parse(text.replace("<!-- rules -->", _table_of_rules()))
    _name_headings(tokens)
    for token in tokens:
        _move_alignment(token)
        _lead_links(token.children or (), top)
    body = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    # A wide table is moved by itself, also by keyboard.
    body = body.replace("<table>", '<div class="table-box" tabindex="0"><table class="sheet">')
    body = body.replace("</table>", "</table></div>")
    links = "".join(_entry(other, title, name, top) for other, title in DOCUMENTS.items())
    links += f'<li><a href="{top}docs">Every route, to be tried</a></li>'
    return _PAGE.format(title=escape(heading), top=top, links=links, body=body)


def _table_of_rules() -> str:
    rows = (f"| `{r.id}` | {r.tier} | {_price(r)} | {r.unit} | {r.name} | {r.sentence} |\n" for r in RULES)
    return (
        "| rule | tier | cost per unit | unit | name for people | what it says |\n"
        "|---|---|---|---|---|---|\n" + "".join(rows)
    )


def _price(rule: Rule) -> str:
    if rule.tier != "hard":
        return f"weight {rule.weight}"
    return "rigid" if rule.price is None else f"price {rule.price}"


def _entry(name: str, title: str, here: str, top: str) -> str:
    current = ' aria-current="page"' if name == here else ""
    return f'<li><a href="{_address(name, top)}"{current}>{escape(title)}</a></li>'


def _address(name: str, top: str) -> str:
    return f"{top}help" if name == START else f"{top}help/{name}"


def _name_headings(tokens: list[Token]) -> None:
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", slug("".join(child.content for child in inline.children or ())))


def _move_alignment(token: Token) -> None:
    """Alignment comes as a style, which the policy of the page forbids; there is a class for numbers."""
    if token.type in ("th_open", "td_open") and token.attrs.pop("style", "") == "text-align:right":
        token.attrSet("class", "num")


def _lead_links(tokens: Iterable[Token], top: str) -> None:
    kept = True
    for token in tokens:
        if token.type == "image":
            token.attrSet("src", f"{top}help/{token.attrs['src']}")
        elif token.type == "link_open":
            target = _target(str(token.attrs["href"]), top)
            kept = target is not None
            token.attrSet("href", target or "")
            token.hidden = not kept
        elif token.type == "link_close":
            token.hidden = not kept


def _target(href: str, top: str) -> str | None:
    """Where a link of a document leads as a page; None when that is nowhere."""
    if href.startswith("#"):
        return href
    found = _LINK.fullmatch(href)
    if found is None or found["name"] not in DOCUMENTS:
        return None
    return _address(found["name"], top) + (found["anchor"] or "")


_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{title} · Help</title>
    <link rel="icon" href="{top}static/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="{top}static/style.css">
    <link rel="stylesheet" href="{top}static/help.css">
    <script src="{top}static/theme.js"></script>
  </head>
  <body>
    <a class="skip" href="#main">Skip to content</a>
    <header class="top">
      <a class="brand" href="{top}./" aria-label="Timetable">
        <img src="{top}static/icon.svg" alt="" class="mark"><span>Timetable</span></a>
      <nav aria-label="Main">
        <a href="{top}./#/">New timetable</a>
        <a href="{top}./#/jobs">Jobs</a>
        <a href="{top}help" aria-current="page">Help</a>
      </nav>
    </header>
    <main id="main" tabindex="-1" class="help">
      <nav aria-label="Documents"><ul>{links}</ul></nav>
      <article>{body}</article>
    </main>
  </body>
</html>
"""
