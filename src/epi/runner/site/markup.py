"""Text that others wrote, made safe to show: Markdown cells, code, and the gate's own HTML.

Markdown keeps its structure and loses raw HTML, pictures and links that are not plain web
addresses. HTML keeps table and text elements only, without styles, events or addresses.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import mistune
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

Store = Callable[[bytes], str]
"""Keeps a picture among the site's files and gives its address from the page."""

_LINKS = {"http", "https", "mailto", ""}
_KEPT = {
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "colgroup", "col"),
    *("p", "div", "span", "br", "hr", "strong", "em", "b", "i", "small", "sub", "sup", "abbr", "code"),
    *("ul", "ol", "li", "dl", "dt", "dd", "figure", "figcaption", "section"),
}
_VOID = {"br", "hr", "col", "img", "input", "link", "meta", "embed", "source", "base"}
_SILENT = {"script", "style", "template", "noscript", "iframe", "object", "svg", "math", "title", "textarea", "select"}
_CLASSES = {"epi-output", "epi-num", "epi-no", "epi-new", "epi-note"}
_EMBEDDED = "data:image/png;base64,"
_ATTRIBUTES = {"colspan", "rowspan", "scope", "span", "title", "lang", "abbr"}
_NUMBER = re.compile(
    r"^[\s<>≤≥=~+\-−–()\[\]0-9.,;:%\u00a0\u202f\u2009/]*\d[\s<>≤≥=~+\-−–()\[\]0-9.,;:%\u00a0\u202f\u2009/]*$"
)


class _Renderer(mistune.HTMLRenderer):
    """Markdown to HTML: nothing raw, headings one below the page's own and never skipping a level."""

    def __init__(self, picture_note: Callable[[str], str]) -> None:
        super().__init__(escape=True)
        self._picture_note = picture_note
        self.level = 1

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        self.level = min(level + 1, self.level + 1, 6)
        return f"<h{self.level}>{text}</h{self.level}>\n"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return f'<span class="note">{escape(self._picture_note(text))}</span>'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        address = safe_address(url)
        if address is None:
            return text
        return f'<a href="{escape(address, quote=True)}" rel="noopener noreferrer nofollow">{text}</a>'

    def block_html(self, html: str) -> str:
        return f"<p>{escape(html.strip())}</p>\n"

    def inline_html(self, html: str) -> str:
        return escape(html)


def safe_address(url: str) -> str | None:
    r"""Keep a link's address only if following it is a plain visit.

    Parameters
    ----------
    url : str
        An address as written.

    Returns
    -------
    str or None
        The address, or None for a script, a file or an embedded document.

    Examples
    --------
    >>> safe_address("https://doi.org/10.1186/x"), safe_address("java\nscript:alert(1)")
    ('https://doi.org/10.1186/x', None)
    """
    text = "".join(char for char in url.strip() if char.isprintable())
    try:
        scheme = urlsplit(text).scheme.lower()
    except ValueError:
        return None
    local = scheme == "" and not text.startswith("#")
    if text != url.strip() or scheme not in _LINKS or local:
        return None
    return text


class Markdown:
    """Render the Markdown cells of one notebook, headings in a row.

    Parameters
    ----------
    picture_note : callable
        Gives the note shown in place of a picture, from its alternative text.
    """

    def __init__(self, picture_note: Callable[[str], str]) -> None:
        self._renderer = _Renderer(picture_note)
        self._markdown = mistune.create_markdown(
            renderer=self._renderer, plugins=["table", "strikethrough", "footnotes"]
        )

    def render(self, text: str) -> str:
        """Render one cell.

        Parameters
        ----------
        text : str
            Markdown.

        Returns
        -------
        str
            Safe HTML.
        """
        html = self._markdown(text)
        return (
            str(html)
            .replace("<table>", '<div class="scroll" tabindex="0"><table>')
            .replace("</table>", "</table></div>")
        )


def highlight_python(source: str) -> str:
    """Colour Python source with static classes.

    Parameters
    ----------
    source : str
        The code.

    Returns
    -------
    str
        Safe HTML: a ``div.code`` with spans.
    """
    return str(highlight(source, PythonLexer(), HtmlFormatter(cssclass="code", nowrap=False)))


class _Sanitiser(HTMLParser):
    def __init__(self, store: Store) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.open: list[str] = []
        self._silent: list[str] = []
        self._store = store

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if self._silent or tag in _SILENT:
            if tag not in _VOID:
                self._silent.append(tag)
            return
        if tag == "img":
            self.parts.append(self._picture(dict(attrs)))
            return
        if tag not in _KEPT:
            return
        kept = "".join(f' {name}="{escape(value or "", quote=True)}"' for name, value in attrs if name in _ATTRIBUTES)
        classes = " ".join(name for name in (dict(attrs).get("class") or "").split() if name in _CLASSES)
        self.parts.append(f"<{tag}{kept}" + (f' class="{classes}">' if classes else ">"))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if not self._silent and tag in _VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag in self._silent:
                del self._silent[self._silent.index(tag) :]
            return
        if tag in self.open:
            while self.open:
                last = self.open.pop()
                self.parts.append(f"</{last}>")
                if last == tag:
                    break

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(escape(data))

    def _picture(self, attributes: Mapping[str, str | None]) -> str:
        source, alt = attributes.get("src") or "", attributes.get("alt") or ""
        content = decode_png(source.removeprefix(_EMBEDDED)) if source.startswith(_EMBEDDED) else None
        if content is None:
            return f'<span class="note">{escape(alt)}</span>'
        return f'<img src="{escape(self._store(content), quote=True)}" alt="{escape(alt, quote=True)}">'


def decode_png(text: str) -> bytes | None:
    """Read an embedded picture.

    Parameters
    ----------
    text : str
        Base 64.

    Returns
    -------
    bytes or None
        The file, or None when it is not a PNG picture.
    """
    try:
        content = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return content if content.startswith(b"\x89PNG\r\n\x1a\n") else None


def sanitise_html(html: str, store: Store) -> str:
    """Keep tables, plain text and embedded pictures of an HTML fragment.

    Parameters
    ----------
    html : str
        HTML made by the gate.
    store : callable
        Keeps a picture among the site's files and gives its address.

    Returns
    -------
    str
        HTML of allowed elements only, every element closed, without styles or addresses.

    Examples
    --------
    >>> sanitise_html('<table onclick="x()"><tr><td>12<script>alert(1)</script></td></tr>', lambda picture: "")
    '<table><tr><td>12</td></tr></table>'
    """
    parser = _Sanitiser(store)
    parser.feed(html)
    parser.close()
    return "".join(parser.parts) + "".join(f"</{tag}>" for tag in reversed(parser.open))


def looks_numeric(text: str) -> bool:
    """Say whether a cell holds a number, an interval or a percentage.

    Parameters
    ----------
    text : str
        The cell's text.

    Returns
    -------
    bool
        True if it is to be set flush right.

    Examples
    --------
    >>> looks_numeric("1.85 (1.50-2.25)"), looks_numeric("< 11"), looks_numeric("Lyon 3e")
    (True, True, False)
    """
    return bool(_NUMBER.match(text))
