"""The tools of the other tests, tried where the answer is known."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.services import cgroup
from tests.services.browser import Browser
from tests.services.need import need
from tests.services.prometheus import StartPrometheus
from tests.services.promtool import Promtool

GOOD = """\
# HELP model_events_total Events read.
# TYPE model_events_total counter
model_events_total{model="flights"} 3
"""
# `%s` is what goes into the body.
PAGE = """<!doctype html><html lang="en"><title>A page</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<style>
  body { background: rgb(255, 255, 255) }
  @media (prefers-color-scheme: dark) { body { background: rgb(0, 0, 0) } }
</style><body>%s</body></html>"""

Serve = Callable[[str, str], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(text, content_type)` answers every request with it, and gives the address as host:port."""
    servers: list[ThreadingHTTPServer] = []

    def start(text: str, content_type: str) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def open_page(serve: Serve, browser: Browser) -> Callable[[str], Browser]:
    def open_page(body: str) -> Browser:
        browser.open(f"http://{serve(PAGE % body, 'text/html')}/")
        return browser

    return open_page


OpenPage = Callable[[str], Browser]


def test_at_a_desk_a_missing_program_skips_the_test_and_names_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install no-such-package"):
        need("no-such-program", "no-such-package")


def test_in_ci_a_missing_program_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install no-such-package"):
        need("no-such-program", "no-such-package")


@pytest.mark.parametrize(("ci", "leaves"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_where_no_control_group_can_be_made_the_test_skips_and_in_ci_fails(
    ci: str, leaves: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    for place, reason in ((tmp_path / "none", "no control group can be made here"), (tmp_path, "has no cpu")):
        monkeypatch.setattr(cgroup, "_place", lambda controller, place=place: place)
        with pytest.raises(leaves, match=reason), cgroup.group("cpu"):
            raise AssertionError("there is a group")
    assert list(tmp_path.iterdir()) == [], "what was made is removed"


def test_promtool_finds_nothing_in_a_clean_exposition(promtool: Promtool) -> None:
    assert promtool.check_metrics(GOOD) == []


def test_promtool_names_the_metric_that_breaks_a_convention(promtool: Promtool) -> None:
    [problem] = promtool.check_metrics(GOOD.replace("events_total", "events"))
    assert problem == 'model_events counter metrics should have "_total" suffix'


def test_promtool_finds_what_is_no_exposition_at_all(promtool: Promtool) -> None:
    [problem] = promtool.check_metrics("<html>\n")
    assert "error while linting" in problem


def test_prometheus_scrapes_what_a_test_serves(prometheus: StartPrometheus, serve: Serve) -> None:
    target = serve(GOOD, "text/plain; version=0.0.4")
    [(labels, value)] = prometheus([target]).wait_for("model_events_total")
    assert (labels["model"], labels["instance"], value) == ("flights", target, 3)


def test_the_browser_sees_a_page_and_has_nothing_to_complain_of(open_page: OpenPage) -> None:
    page = open_page("<h1>Drift</h1>")
    assert page.driver.find_element("tag name", "h1").text == "Drift"
    assert page.complaints() == []


def test_the_browser_complains_of_errors_on_the_console(open_page: OpenPage) -> None:
    [complaint] = open_page("<script>console.error('it broke')</script>").complaints()
    assert complaint.startswith("console: ")
    assert "it broke" in complaint


def test_the_browser_complains_of_exceptions_in_scripts(open_page: OpenPage) -> None:
    [complaint] = open_page("<script>nothing.here()</script>").complaints()
    assert "nothing is not defined" in complaint


def test_the_browser_complains_of_a_request_to_elsewhere(open_page: OpenPage, serve: Serve) -> None:
    elsewhere = f"http://{serve('1', 'text/javascript')}/script.js"
    [complaint] = open_page(f"<script src={elsewhere}></script>").complaints()
    assert complaint == f"request to elsewhere: {elsewhere}"


def test_the_browser_is_as_wide_as_a_phone_when_asked(open_page: OpenPage) -> None:
    page = open_page("")
    page.viewport(390, 844, phone=True)
    assert page.driver.execute_script("return [innerWidth, innerHeight]") == [390, 844]


@pytest.mark.parametrize(("dark", "colour"), [(True, "rgb(0, 0, 0)"), (False, "rgb(255, 255, 255)")])
def test_the_browser_prefers_dark_pages_when_asked(open_page: OpenPage, dark: bool, colour: str) -> None:
    page = open_page("")
    page.dark(dark)
    script = "return getComputedStyle(document.body).backgroundColor"
    assert page.driver.execute_script(script) == colour


def test_the_browser_takes_pictures(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("<h1>Drift</h1>")
    page.viewport(400, 300)
    page.screenshot(tmp_path / "page.png")
    picture = (tmp_path / "page.png").read_bytes()
    # The size is in the PNG's first chunk, bytes 16 to 24.
    assert (picture[:8], picture[16:24]) == (
        b"\x89PNG\r\n\x1a\n",
        (400).to_bytes(4, "big") + (300).to_bytes(4, "big"),
    )
