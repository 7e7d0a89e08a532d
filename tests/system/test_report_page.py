"""The report of a load as a reader sees it: in light and dark, on a desk and on a phone."""

import os
import subprocess
from pathlib import Path

import pytest

from browser import CHROMIUM, Browser
from client import PATIENCE
from harness import PARLEY, ROOT, run

WIDTHS = [390, 1200]
SCHEMES = ["light", "dark"]
SAMPLES = ["open", "hostile", "long", "nothing"]

# Every text that is seen: what it says, where it is, in what it is cut, how it stands out from its ground.
TEXTS = """
(() => {
  const channel = part => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = parts(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || ['title', 'desc'].includes(element.tagName)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    const style = getComputedStyle(element), figure = element.closest('figure'), svg = element.closest('svg');
    const frame = figure && figure.getBoundingClientRect();
    texts.push({
      text: node.data, left: box.left, right: box.right, top: box.top + scrollY, bottom: box.bottom + scrollY,
      scrolls: !!element.closest('.scroll'),
      leaves: !!frame && (box.left < frame.left || box.right > frame.right
                          || box.top < frame.top || box.bottom > frame.bottom),
      picture: svg ? [...document.querySelectorAll('svg')].indexOf(svg) : null,
      contrast: contrast(parts(svg ? style.fill : style.color), ground(element)),
    });
  }
  return texts;
})()
"""

# The pictures, and how large what is drawn in them is.
PICTURES = """
[...document.querySelectorAll('svg[role=img]')].map(svg => {
  const box = svg.getBoundingClientRect();
  return {name: svg.querySelector('title').textContent, width: box.width, height: box.height,
          shapes: [...svg.querySelectorAll('path.line, line.bar, .mark path')]
            .filter(shape => shape.getAttribute('d') !== '')
            .map(shape => { const of = shape.getBoundingClientRect(); return Math.max(of.width, of.height); })};
})
"""


def maker():
    """The program that writes the samples: it is built beside the command."""
    name = Path("tests/unit/test_page")
    places = [Path(PARLEY).parent / name, ROOT / f"build-{os.environ.get('PARLEY_SANITIZER', '')}" / name]
    found = [place for place in places if place.exists()]
    assert found, f"none of these is there, build the target unit-tests: {places}"
    return found[0]


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A directory with SAMPLES as pages."""
    directory = tmp_path_factory.mktemp("pages")
    subprocess.run([maker(), "--write", directory], check=True, timeout=PATIENCE)
    return directory


@pytest.fixture(scope="module")
def browser():
    assert os.access(CHROMIUM, os.X_OK), f"there is no {CHROMIUM}: install it, or name one in CHROMIUM"
    with Browser() as started:
        yield started


@pytest.fixture(params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES],
                ids=lambda param: f"{param[1]}-{param[0]}")
def look(request, browser):
    """look(path): the page as one of four readers has it before them."""
    pages = []

    def open_page(path):
        pages.append(browser.open(path, *request.param))
        return pages[-1]
    open_page.width, open_page.scheme = request.param
    yield open_page
    for page in pages:
        page.close()


def touching(texts):
    """Pairs of texts of one picture that lie on each other."""
    return [(one["text"], other["text"]) for place, one in enumerate(texts) for other in texts[:place]
            if one["picture"] is not None and one["picture"] == other["picture"]
            and one["left"] < other["right"] and other["left"] < one["right"]
            and one["top"] < other["bottom"] - 1 and other["top"] < one["bottom"] - 1]


def check_page(page, width):
    assert page.complaints() == []
    assert len(page.requests()) == 1, page.requests()
    assert page.ask("document.documentElement.scrollWidth") <= width
    texts = page.ask(TEXTS)
    assert len(texts) > 50
    outside = [text for text in texts if not text["scrolls"] and (text["left"] < 0 or text["right"] > width)]
    assert outside == []
    assert [text for text in texts if text["leaves"]] == []
    assert touching(texts) == []
    assert [text for text in texts if text["contrast"] < 4.5] == []
    cut = page.ask("[...document.querySelectorAll('.numbers *')].filter(e => e.scrollWidth > e.clientWidth + 1)"
                   ".map(e => e.textContent)")
    assert cut == []


def check_pictures(page, at_least=5):
    """Each shows something that is larger than so many pixels."""
    pictures = page.ask(PICTURES)
    assert len(pictures) == 6, [picture["name"] for picture in pictures]
    for picture in pictures:
        assert picture["width"] > 200 and picture["height"] > 20, picture
        assert picture["shapes"] and max(picture["shapes"]) > at_least, picture


@pytest.mark.parametrize("sample", SAMPLES)
def test_everything_can_be_read(look, samples, sample):
    page = look(samples / f"{sample}.html")
    check_page(page, look.width)
    if sample != "nothing":
        check_pictures(page)


def test_light_and_dark_are_followed(look, samples):
    page = look(samples / "open.html")
    ground = page.ask("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (min(ground) > 200) if look.scheme == "light" else (max(ground) < 60), ground
    assert page.picture().startswith(b"\x89PNG")


def test_hostile_texts_are_only_shown(look, samples):
    page = look(samples / "hostile.html")
    assert page.ask("document.querySelectorAll('script, img').length") == 0
    assert page.ask("document.querySelector('h1').textContent").startswith("</title></svg><script>alert(\"x\")")
    assert page.ask("document.querySelector('.banner strong').textContent") == "INVALID"


def test_the_page_of_a_real_load(look, serve, tmp_path):
    server = serve("echo", model="prethread+epoll", options=["--log", "none"])
    report = tmp_path / "report.html"
    outcome = run("load", f"127.0.0.1:{server.port}", "-c", "4", "-d", "300ms", "--report", report)
    assert outcome.returncode == 0, outcome
    page = look(report)
    check_page(page, look.width)
    # On a busy machine the server may be looked at in the last moments only, and the line is short.
    check_pictures(page, at_least=0)
    assert str(server.port) in page.ask("document.querySelector('h1').textContent")
