"""A strict reading of a page: what a browser would forgive is a fault here."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Page(HTMLParser):
    """The elements of a page and the faults of its structure."""

    path: Path
    faults: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lang: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.html = self.path.read_text(encoding="utf-8")
        self.feed(self.html)
        self.close()
        self.faults += [f"{tag} is not closed" for tag in self.stack]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if len(found) != len(attrs):
            self.faults.append(f"{tag} repeats an attribute")
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "html":
            self.lang = str(found.get("lang"))
        if tag in {"script", "iframe", "object", "embed", "form", "style", "svg"}:
            self.faults.append(f"{tag} is on the page")
        self.faults += [f"{tag} has {name}" for name in found if name.startswith("on") or name == "style"]
        if tag == "img" and not found.get("alt"):
            self.faults.append("an image has no alternative text")
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))
        if tag == "a":
            self.links.append(str(found.get("href")))
        for name in ("src", "srcset", "poster", "data", "background"):
            if name in found:
                self.resources.append(str(found[name]))
        if tag == "link":
            (self.links if found.get("rel") == "alternate" else self.resources).append(str(found.get("href")))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not self.stack or self.stack[-1] != tag:
            self.faults.append(f"{tag} is closed where {self.stack[-1:]} is open")
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.text += data

    def check(self, site: Path) -> list[str]:
        """Faults of structure, headings, identifiers, resources and links."""
        faults = list(self.faults)
        if self.headings[:1] != [1] or self.headings.count(1) != 1:
            faults.append(f"headings start with {self.headings[:2]}")
        for before, after in zip(self.headings, self.headings[1:], strict=False):
            if after > before + 1:
                faults.append(f"heading {after} follows {before}")
        faults += [f"id {name} comes twice" for name in set(self.ids) if self.ids.count(name) > 1]
        for source in self.resources:
            if source == "data:,":
                continue
            if urlsplit(source).scheme or source.startswith(("/", "#")):
                faults.append(f"{source} is not a file of the site")
            elif not self._target(source).is_file():
                faults.append(f"{source} does not exist")
        for link in self.links:
            parts = urlsplit(link)
            if parts.scheme in {"https", "http", "mailto"}:
                continue
            if parts.scheme or link.startswith("/"):
                faults.append(f"{link} leads off the site")
            elif parts.path and not self._target(parts.path).resolve().is_relative_to(site.resolve()):
                faults.append(f"{link} leads out of the site")
            elif parts.path and not self._target(parts.path).is_file():
                faults.append(f"{link} leads nowhere")
            elif parts.fragment and not parts.path and parts.fragment not in self.ids:
                faults.append(f"{link} has no anchor")
        return faults

    def _target(self, reference: str) -> Path:
        return self.path.parent / unquote(reference)
