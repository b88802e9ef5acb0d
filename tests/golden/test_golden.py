"""The whole page of /metrics as it was looked at and committed."""

import re
from itertools import zip_longest

import pytest

from tests.golden.update import PAGE, page
from tests.services.promtool import Promtool

SAMPLE = re.compile(r"(?P<series>[^#].*) (?P<value>\S+)")


def test_the_page_is_the_committed_one() -> None:
    """Names, labels and their order to the letter; values to 1e-9, for the last digits are the processor's."""
    for found, expected in zip_longest(page().splitlines(), PAGE.read_text().splitlines()):
        was, now = SAMPLE.fullmatch(expected or ""), SAMPLE.fullmatch(found or "")
        if was is None or now is None:
            assert found == expected, "look at it, then run python -m tests.golden.update"
        else:
            assert now["series"] == was["series"], "look at it, then run python -m tests.golden.update"
            assert float(now["value"]) == pytest.approx(float(was["value"]), rel=1e-9, abs=1e-15), now["series"]


def test_the_committed_page_passes_the_linter_of_prometheus(promtool: Promtool) -> None:
    assert promtool.check_metrics(PAGE.read_text().replace("{…}", '{version="0"}')) == []
