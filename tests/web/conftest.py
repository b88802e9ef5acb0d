"""For tests of the web server."""

import pytest

from exporter.web import server


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test does not wait a second for what changes."""
    monkeypatch.setattr(server, "LOOK", 0.05)
