"""The page as Chromium shows it, under the policy it is served with."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from exporter.page import ASSETS, SECURITY_POLICY, render
from exporter.view import PageView
from tests.pageviews import HOSTILE, LONG, NOTHING_YET, many, page, reference, silent, version, window
from tests.services.browser import Browser

FLIGHTS = version()
COLUMNS = many(200)
WIDE = version(
    HOSTILE,
    LONG,
    reference=reference(HOSTILE, LONG, COLUMNS),
    windows=(window("1h", COLUMNS, 1), window("24h", COLUMNS, 24)),
    unexpected=(LONG, HOSTILE),
)
BARE = version("bare", reference=None, windows=(window("1h", (), 1),))
PAGES = {
    "nothing yet": page(**NOTHING_YET),
    "no event": page(silent(FLIGHTS)),
    "one model": page(FLIGHTS),
    "four versions, 200 features": page(FLIGHTS, version("calm", warmer=0.0), BARE, WIDE, problems=(HOSTILE, LONG)),
}


class Site:
    """Serves `view`, or answers 503 where it is None."""

    def __init__(self, view: PageView | None) -> None:
        self.view = view
        site = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                kind, body = "text/html; charset=utf-8", b""
                if url.path.startswith("/static/"):
                    kind, body = ASSETS[url.path.removeprefix("/static/")]
                elif site.view is not None:
                    body = render(site.view, dict(parse_qsl(url.query)))
                self.send_response(200 if body else 503)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Security-Policy", SECURITY_POLICY)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def serve() -> Iterator[Callable[[PageView], Site]]:
    sites: list[Site] = []

    def start(view: PageView) -> Site:
        sites.append(Site(view))
        return sites[-1]

    yield start
    for site in sites:
        site.server.shutdown()
        site.server.server_close()


Serve = Callable[[PageView], Site]

# Whatever reaches beyond the right edge, or is cut off in its box without the three dots that say so.
CUT_OFF = """
return [...document.querySelectorAll('main *')].filter(e => {
  if (e.closest('.word, .unseen') || !e.checkVisibility() || e.closest('svg') && e.tagName !== 'svg') return false
  const cut = e.clientWidth && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).textOverflow !== 'ellipsis'
  return cut || e.getBoundingClientRect().right > innerWidth + 1
}).map(e => e.outerHTML.slice(0, 200))
"""


def feature(browser: Browser, name: str) -> WebElement:
    every = browser.driver.find_elements(By.CSS_SELECTOR, "details.feature")
    return next(one for one in every if one.get_attribute("data-key") == f"feature {name}")


def headline(browser: Browser) -> str:
    return browser.driver.find_element(By.TAG_NAME, "h1").text


def wait_for(browser: Browser, condition: Callable[[], object]) -> None:
    # While the page swaps its contents, an element may be gone between finding and reading it.
    WebDriverWait(browser.driver, 20, ignored_exceptions=(Exception,)).until(lambda _: condition())


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_at_any_width(browser: Browser, serve: Serve, name: str) -> None:
    site = serve(PAGES[name])
    for width in (360, 768, 1280):
        browser.viewport(width, 900, phone=width == 360)
        browser.open(site.url)
        browser.driver.execute_script("document.querySelectorAll('details').forEach((d, i) => d.open = i < 20)")
        assert browser.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert browser.driver.execute_script(CUT_OFF) == [], f"at {width} pixels"


def test_it_obeys_the_colours_that_the_person_prefers(browser: Browser, serve: Serve) -> None:
    site = serve(PAGES["one model"])
    script = "return getComputedStyle(document.body)[arguments[0]]"
    seen = {}
    for dark in (False, True):
        browser.dark(dark)
        browser.open(site.url)
        seen[dark] = [browser.driver.execute_script(script, what) for what in ("backgroundColor", "color")]
    assert seen == {
        False: ["rgb(245, 246, 248)", "rgb(23, 27, 35)"],
        True: ["rgb(14, 17, 22)", "rgb(231, 234, 239)"],
    }


def test_names_that_look_like_markup_are_read_as_names(browser: Browser, serve: Serve) -> None:
    browser.open(serve(page(WIDE)).url)
    assert browser.driver.find_element(By.CSS_SELECTOR, "p.name").text.startswith(HOSTILE)
    row = feature(browser, HOSTILE)
    assert row.find_element(By.CSS_SELECTOR, ".text").get_attribute("textContent") == HOSTILE
    assert len(browser.driver.find_elements(By.TAG_NAME, "script")) == 1


def test_a_feature_opens_to_a_picture_that_fills_its_place_and_to_all_figures(browser: Browser, serve: Serve) -> None:
    browser.viewport(1280, 900)
    browser.open(serve(page(FLIGHTS)).url)
    row = feature(browser, "pressure")
    row.find_element(By.TAG_NAME, "summary").click()
    picture = row.find_element(By.CSS_SELECTOR, ".large .shapes")
    assert picture.size["width"] > 400
    assert picture.aria_role == "image"
    assert "Gained most" in picture.accessible_name
    bars = browser.driver.execute_script("return arguments[0].querySelector('.now').getBBox().height", picture)
    assert bars == 100
    assert "Kolmogorov–Smirnov" in row.text


def test_another_window_opens_in_place_and_what_was_open_stays_open(browser: Browser, serve: Serve) -> None:
    browser.viewport(1280, 900)
    browser.open(serve(page(FLIGHTS)).url)
    feature(browser, "pressure").find_element(By.TAG_NAME, "summary").click()
    browser.driver.find_element(By.LINK_TEXT, "7d").click()
    wait_for(browser, lambda: "in the last 7d" in headline(browser))
    assert browser.driver.current_url.endswith("window=7d")
    assert "in the last 7d" in browser.driver.title
    assert feature(browser, "pressure").get_attribute("open")
    assert not feature(browser, "humidity").get_attribute("open")
    assert browser.driver.switch_to.active_element.text == "7d"
    browser.driver.back()
    wait_for(browser, lambda: "in the last 24h" in headline(browser))


def test_a_refresh_leaves_place_choice_and_open_features_alone(browser: Browser, serve: Serve) -> None:
    browser.viewport(1280, 700)
    site = serve(page(FLIGHTS, version("other")))
    browser.open(f"{site.url}?model=other&window=7d")
    row = feature(browser, "humidity")
    browser.driver.execute_script("arguments[0].open = true; arguments[0].scrollIntoView()", row)
    place = browser.driver.execute_script("return scrollY")
    site.view = page(FLIGHTS, version("other"), release="0.2.0")
    browser.driver.execute_script("refresh()")
    wait_for(browser, lambda: "0.2.0" in browser.driver.find_element(By.CLASS_NAME, "brand").text)
    assert browser.driver.execute_script("return scrollY") == place > 0
    assert feature(browser, "humidity").get_attribute("open")
    assert browser.driver.find_element(By.CSS_SELECTOR, "p.name").text.startswith("other")
    assert "in the last 7d" in headline(browser)


def test_when_the_exporter_does_not_answer_the_page_says_since_when_until_it_does(
    browser: Browser, serve: Serve
) -> None:
    site = serve(page(FLIGHTS))
    browser.open(site.url)
    stale = browser.driver.find_element(By.ID, "stale")
    assert not stale.is_displayed()
    view, site.view = site.view, None
    browser.driver.execute_script("refresh()")
    wait_for(browser, stale.is_displayed)
    assert stale.text.startswith("The exporter does not answer since ")
    assert "5 of 13 features differ" in headline(browser)
    [complaint] = browser.complaints()
    assert "503" in complaint
    site.view = view
    browser.driver.execute_script("refresh()")
    wait_for(browser, lambda: not stale.is_displayed())


def test_without_scripts_the_page_is_whole_and_its_links_work(browser: Browser, serve: Serve) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.open(serve(page(FLIGHTS)).url)
    browser.driver.find_element(By.LINK_TEXT, "1h").click()
    wait_for(browser, lambda: "in the last 1h" in headline(browser))
    row = feature(browser, "pressure")
    row.find_element(By.TAG_NAME, "summary").click()
    assert "Standard deviation" in row.text
