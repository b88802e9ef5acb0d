"""Headless Chromium, which sees what a person sees and complains of what a person may overlook."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.services.need import need

ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # Chromium's own sandbox does not run as root; it only ever opens what the tests serve
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Browser:
    """Use `driver` (selenium) for whatever is not here. Widths and heights are CSS pixels."""

    driver: Chrome
    origins: set[str] = field(default_factory=set)  # scheme://host:port of every page opened by hand

    def open(self, url: str) -> None:
        self.origins.add(_origin(url))
        self.driver.get(url)

    def viewport(self, width: int, height: int, *, phone: bool = False) -> None:
        """The size of the page's window; a phone also obeys the page's viewport tag and has touch."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def dark(self, on: bool) -> None:
        """Whether the person prefers dark pages."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def screenshot(self, path: Path) -> None:
        """A PNG of what is in the viewport."""
        assert self.driver.save_screenshot(path), f"no screenshot in {path}"

    def complaints(self) -> list[str]:
        """Errors on the console and requests to elsewhere since it was last asked."""
        console = self.driver.get_log("browser")
        errors = [f"console: {entry['message']}" for entry in console if entry["level"] == "SEVERE"]
        asked = [url for url in self._requested() if urlsplit(url).scheme not in ("data", "blob", "about")]
        return errors + [f"request to elsewhere: {url}" for url in asked if _origin(url) not in self.origins]

    def _requested(self) -> Iterator[str]:
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                yield event["params"]["request"]["url"]
            elif event["method"] == "Network.webSocketCreated":
                yield event["params"]["url"]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A new Chromium without a past. The test fails at its end over complaints it did not ask for itself."""
    options = ChromeOptions()
    options.binary_location = str(need("chromium", "chromium"))
    service = ChromeService(str(need("chromedriver", "chromium-driver")))
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, service)
    try:
        page = Browser(driver)
        driver.get("about:blank")  # leave Chromium's own first page, and forget what that one loaded
        page.complaints()
        yield page
        assert page.complaints() == []
    finally:
        driver.quit()
