from pathlib import Path

import pytest

from tests.services.need import need


@pytest.fixture
def amtool() -> Path:
    return need("amtool", "prometheus-alertmanager")
