"""What the terminal shows of the demo, read as text."""

import io
from datetime import date

import pytest
from rich.console import Console

from exporter.demo.show import Drift, drift_table, preparing, quality_table, watching


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
        "2013-04": [Drift("humidity", 0.02, 0.07, 0.05), Drift("temperature", 0.9, 0.07, 0.40)],
        "2013-05": [Drift("humidity", 0.3, 0.07, 0.2), Drift("temperature", 2.5, 0.07, 0.714)],
    }
    pipe.print(drift_table(months))
    assert ["feature", "Apr", "May"] in [line.split() for line in shown(pipe).splitlines()]
    assert cells(pipe) == [["temperature", "40%!", "71%!"], ["humidity", "5%", "20%!"]]


def test_a_psi_without_a_limit_is_shown_and_is_no_drift(pipe):
    pipe.print(drift_table({"2013-04": [Drift("constant", 0.0, None, 0.0)]}))
    assert cells(pipe) == [["constant", "0%"]]


def test_a_feature_that_a_month_does_not_have_leaves_a_gap(pipe):
    months = {"2013-04": [Drift("dest", 0.01, 0.07, 0.03)], "2013-05": [Drift("origin", 0.01, 0.07, 0.01)]}
    pipe.print(drift_table(months))
    assert cells(pipe) == [["dest", "3%", "–"], ["origin", "–", "1%"]]


def test_nine_months_fit_a_narrow_terminal_uncut(pipe):
    months = {f"2013-{m:02}": [Drift("wind_direction", 1.0, 0.07, 1.0)] for m in range(4, 13)}
    pipe.print(drift_table(months))
    assert cells(pipe) == [["wind_direction"] + ["100%!"] * 9]


def test_the_quality_of_each_month_is_one_line(pipe):
    april = {
        "rows": 28330,
        "labelled": 0.973,
        "late": 0.2793,
        "called_late": 0.1151,
        "accuracy": 0.7363,
        "roc_auc": 0.6496,
    }
    pipe.print(quality_table({"training": april | {"rows": 77911}, "2013-04": april}))
    figures = ["97.3%", "27.9%", "11.5%", "73.6%", "0.650"]
    assert cells(pipe) == [["training", "77,911", *figures], ["Apr", "28,330", *figures]]


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
        tell(1, 6, "training the model")
    with watching(pipe, 10) as tell_day:
        tell_day(5, date(2013, 8, 14))
    assert shown(pipe) == ""
