"""Every page opens with the network off: nothing fails, nothing is said on the console, nothing overflows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page

WIDTHS = (1280, 390)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

CONTRAST = """
() => {
  const parse = text => (text.match(/[\\d.]+/g) || [0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faults = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(style.color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) faults.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...faults];
}
"""


def open_page(browser: Browser, path: Path, said: list[str], **context: object) -> Page:
    opened = browser.new_context(offline=True, device_scale_factor=1, **context)  # type: ignore[arg-type]
    page = opened.new_page()
    page.on("console", lambda message: said.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: request.url.startswith(("file:", "data:")) or said.append(f"asked: {request.url}"),
    )
    page.goto(path.as_uri(), wait_until="load")
    return page


def pages_of(sites: list[Path]) -> list[Path]:
    return [path for site in sites for path in sorted(site.rglob("*.html"))]


def test_every_page_opens_without_a_network(browser: Browser, sites: list[Path]) -> None:
    paths = pages_of(sites)
    assert len(paths) >= 14
    for path in paths:
        said: list[str] = []
        page = open_page(browser, path, said, viewport={"width": WIDTHS[0], "height": 900})
        broken = page.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)")
        assert broken == [], path
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            root = "document.documentElement"
            assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0, f"{path} overflows at {width}"
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(CONTRAST) == [], f"{path}, {scheme}"
                picture = Image.open(io.BytesIO(page.screenshot())).convert("L")
                dark, bright = picture.getextrema()
                assert bright - dark > 150 and len(set(picture.resize((64, 64)).tobytes())) > 8, f"{path} looks blank"
        assert said == [], path
        page.context.close()


def test_pages_do_without_scripts_and_follow_their_links(browser: Browser, toy_site: Path) -> None:
    said: list[str] = []
    page = open_page(browser, toy_site / "index.html", said, java_script_enabled=False)
    page.get_by_role("link", name="Âge et groupe").first.click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("Âge et groupe")
    page.get_by_role("link", name="Effectifs").click()
    assert "Parameters of this run" not in page.content() and "Paramètres de cette exécution" in page.content()
    page.get_by_role("link", name="English").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Counts"
    page.get_by_role("link", name="Figures →").click()
    assert page.get_by_role("img", name="Bars of persons by group").count() == 1
    assert said == []


def test_the_keyboard_reaches_the_content_first(browser: Browser, toy_site: Path) -> None:
    page = open_page(browser, toy_site / "en" / "index.html", [])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")


def test_a_study_prints_on_paper(browser: Browser, toy_site: Path) -> None:
    page = open_page(browser, toy_site / "en/studies/toy/index.html", [])
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('nav.toc')).display") == "none"
    assert page.pdf(format="A4").startswith(b"%PDF")
