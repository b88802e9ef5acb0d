"""The reference by hours of the week: what is counted where, and what the file keeps of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from exporter.config import Config
from exporter.reference import Reference, load
from exporter.training import build
from tests.stories.world import json_line

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def rows(days: int, hours: tuple[int, ...] = (2, 14), shift: float = 3.0) -> list[dict[str, object]]:
    """Thirty rows in each of these hours; in the afternoon numbers are larger by `shift`, on Sundays all are blue."""
    random = np.random.default_rng(1)
    found = []
    for day in range(days):
        for hour in hours:
            for minute in range(0, 60, 2):
                at = MONDAY + timedelta(days=day, hours=hour, minutes=minute)
                x = round(float(random.normal(shift * (hour >= 12))), 3)
                colour = "blue" if at.weekday() == 6 else "red"
                found.append({"timestamp": at.isoformat(), "x": x, "colour": colour, "score": 0.5})
    return found


def built(folder: Path, table: list[dict[str, object]], **more: object) -> Reference:
    path = folder / "training.jsonl"
    path.write_bytes(b"".join(json_line(row) + b"\n" for row in table))
    model = {"task": "binary", "classes": ["0", "1"], "positive": "1", "reference": "m.json", **more}
    config = Config.model_validate({"topics": {"p": {"role": "predictions"}}, "models": {"m": model}})
    return build([path], "m", config.models["m"], {}, None, lambda *_: None)


def test_each_hour_of_working_days_and_of_the_weekend_has_its_own_counts(tmp_path: Path) -> None:
    reference = built(tmp_path, rows(28))
    season = reference.season
    assert season is not None
    assert (season.zone, season.weekend) == ("UTC", (5, 6))
    by_slot = season.features["x"].slots.sum(axis=1)
    assert {slot: n for slot, n in enumerate(by_slot.tolist()) if n} == {2: 600, 14: 600, 26: 240, 38: 240}
    np.testing.assert_array_equal(season.features["x"].slots.sum(axis=0), reference.features["x"].counts[:-2])
    blue = list(reference.features["colour"].bins.categories).index("blue")
    assert season.features["colour"].slots[:24, blue].sum() == 0
    assert season.features["colour"].slots[24:, blue].sum() == 240
    assert set(season.outputs) == {"score", "prediction"}


def test_hours_that_repeat_every_week_are_ordinary_only_in_their_own_slot(tmp_path: Path) -> None:
    season = built(tmp_path, rows(28)).season
    assert season is not None
    assert season.features["x"].ordinary == 0
    # Saturdays are red and Sundays blue: in their slots that is ordinary.
    assert 0.4 < season.features["colour"].ordinary < 0.6


def test_values_that_are_missing_for_a_day_now_and_then_are_ordinary_as_such(tmp_path: Path) -> None:
    table = rows(42)
    for row in table:
        if str(row["timestamp"])[8:10] in ("03", "17"):
            row["x"] = None
    season = built(tmp_path, table).season
    assert season is not None
    assert season.features["x"].missing > 0.8
    assert (season.features["x"].invalid, season.features["colour"].missing) == (0, 0)


def test_the_hours_are_those_of_the_models_own_clock(tmp_path: Path) -> None:
    season = built(tmp_path, rows(28), timezone="America/New_York", weekend=["friday"]).season
    assert season is not None
    assert (season.zone, season.weekend) == ("America/New_York", (4,))
    met = np.flatnonzero(season.features["x"].slots.sum(axis=1)).tolist()
    assert met == [9, 21, 33, 45]
    assert ZoneInfo(season.zone)


@pytest.mark.parametrize("days", [1, 13])
def test_less_than_two_weeks_have_no_season(tmp_path: Path, days: int) -> None:
    assert built(tmp_path, rows(days)).season is None


def test_rows_without_a_time_count_in_no_slot(tmp_path: Path) -> None:
    table = rows(28)
    for row in table[::7]:
        row["timestamp"] = None
    season = built(tmp_path, table).season
    assert season is not None
    assert season.features["x"].slots.sum() == len(table) - len(table[::7])


def test_the_file_keeps_it_the_same_rows_give_the_same_bytes_and_it_stays_small(tmp_path: Path) -> None:
    reference = built(tmp_path, rows(28))
    path = tmp_path / "m.json"
    path.write_bytes(reference.dump())
    again = load(path)
    assert again.dump() == reference.dump()
    assert again.season is not None
    assert reference.season is not None
    np.testing.assert_array_equal(again.season.features["x"].slots, reference.season.features["x"].slots)
    assert reference.dump().count(b"\n") < 800


def test_it_does_not_matter_in_how_many_pieces_the_columns_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = built(tmp_path, rows(28)).fingerprint
    monkeypatch.setattr("exporter.training.seasons.MOST_CELLS", 1)
    assert built(tmp_path, rows(28)).fingerprint == at_once
