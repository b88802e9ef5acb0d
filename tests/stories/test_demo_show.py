"""What the terminal shows of the demo, read as text."""

import io
from datetime import date

import pytest
from rich.console import Console

from exporter.demo.show import Drift, Quality, drift_table, labels_line, month_line, preparing, quality_table, watching


@pytest.fixture
def pipe() -> Console:
    return Console(file=io.StringIO(), width=80)


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def cells(console: Console) -> list[list[str]]:
    """The words of each row: what stands between the rule under the heads and the empty line at the end."""
    lines = [line.split() for line in shown(console).splitlines()]
    [rule] = [i for i, words in enumerate(lines) if words and set(words[0]) == {"─"}]
    return lines[rule + 1 : lines.index([], rule)]


def test_features_are_ranked_by_how_much_moved_over_all_months(pipe):
    months = {
        "2013-04": [Drift("humidity", 0.02, 0.074), Drift("temperature", 0.9, 0.074)],
        "2013-05": [Drift("humidity", 0.3, 0.0752), Drift("temperature", 12.53, 0.0752)],
    }
    pipe.print(drift_table(months))
    assert ["feature", "limit", "Apr", "May"] in [line.split() for line in shown(pipe).splitlines()]
    assert cells(pipe) == [["temperature", "0.075", "0.90!", "12.5!"], ["humidity", "0.075", "0.02", "0.30!"]]


def test_a_psi_without_a_limit_is_shown_and_is_no_drift(pipe):
    pipe.print(drift_table({"2013-04": [Drift("constant", 0.0, None)]}))
    assert cells(pipe) == [["constant", "–", "0.00"]]


def test_a_feature_that_a_month_does_not_have_leaves_a_gap(pipe):
    months = {"2013-04": [Drift("dest", 0.02, 0.07)], "2013-05": [Drift("origin", 0.01, 0.07)]}
    pipe.print(drift_table(months))
    assert cells(pipe) == [["dest", "0.070", "0.02", "–"], ["origin", "0.070", "–", "0.01"]]


def test_nine_months_fit_a_narrow_terminal_uncut(pipe):
    months = {f"2013-{m:02}": [Drift("wind_direction", 10.0, 0.07)] for m in range(4, 13)}
    pipe.print(drift_table(months))
    assert cells(pipe) == [["wind_direction", "0.070"] + ["10.0!"] * 9]


def test_the_line_of_a_month_names_what_is_above_its_limit_the_most_moved_first(pipe):
    drifts = [
        Drift("origin", 0.07, 0.07),
        Drift("wind_direction", 0.08, 0.07),
        Drift("humidity", 0.3, 0.07),
        Drift("precipitation", 10.0, 0.07),
    ]
    pipe.print(month_line("2013-08", drifts))
    pipe.print(month_line("2013-09", drifts[:1]))
    assert shown(pipe) == (
        "Aug  precipitation 10.0 (limit 0.07), humidity 0.30 (limit 0.07)\nSep  nothing above its limit\n"
    )


def test_how_good_the_model_was_stands_beside_the_reference(pipe):
    whole = {"accuracy_ratio": 0.732, "calibration_error_ratio": 0.013, "roc_auc_ratio": 0.685}
    late = {"precision_ratio": 0.413, "recall_ratio": 0.412}
    months = {"reference": Quality(77911, None, whole, late), "2013-04": Quality(28330, 0.9731, whole, late)}
    pipe.print(quality_table(months))
    figures = ["73.2%", "41.3%", "41.2%", "1.3%", "68.5%"]
    assert cells(pipe) == [["reference", "77,911", "–", *figures], ["Apr", "28,330", "97.3%", *figures]]
    assert max(map(len, shown(pipe).splitlines())) <= 80


def test_what_cannot_be_said_of_a_month_is_a_dash(pipe):
    pipe.print(quality_table({"2013-04": Quality(3, 1.0, {"accuracy_ratio": 1.0}, {})}))
    assert cells(pipe) == [["Apr", "3", "100.0%", "100.0%", "–", "–", "–", "–"]]


def test_the_labels_that_never_came_are_counted():
    assert labels_line(10_176.0, 6_552, 255_987).splitlines() == [
        "Half of the labels came within 2.8 hours of departure.",
        "6,552 of 255,987 flights (2.6%) never got one: cancelled, or diverted.",
    ]


def test_the_bar_shows_the_day_and_the_flights_so_far(terminal):
    with watching(terminal, 255_987) as tell:
        tell(128_000, date(2013, 8, 14))
    assert "Wed 14 Aug 2013" in shown(terminal)
    assert "128,000 of 255,987 flights" in shown(terminal)


def test_the_bar_of_prepare_shows_the_step(terminal):
    with preparing(terminal) as tell:
        tell(1, 6, "training the model")
    assert "1/6 training the model" in shown(terminal)


def test_a_pipe_sees_no_bars(pipe):
    with preparing(pipe) as tell:
        tell(0, 6, "reading")
        tell(1, 6, "training the model")
    with watching(pipe, 10) as tell_day:
        tell_day(5, date(2013, 8, 14))
    assert shown(pipe) == "Preparing the flights, once: it takes some seconds.\n"
