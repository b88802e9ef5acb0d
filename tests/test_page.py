import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.page import ASSETS, SECURITY_POLICY, render, words
from exporter.page.columns import Column, worst_first
from exporter.page.histogram import HEIGHT, Histogram, histogram
from exporter.page.lines import line
from exporter.page.verdict import worst_versions_first
from exporter.view import ColumnView, PageView, PerformanceView, ScoreView, SliceView, StoryView, VersionView
from tests import pageviews as views
from tests.pageviews import HOSTILE, NOON, SECOND, column, page, reference, version, window

FLIGHTS = version()


class Seen(HTMLParser):
    """What a browser would read: the text, and every tag with its attributes."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str, **wanted: str) -> Iterator[dict[str, str]]:
        return (attrs for name, attrs in self.tags if name == tag and wanted.items() <= attrs.items())


def seen(view: PageView, **query: str) -> Seen:
    return Seen(render(view, query))


def test_a_story_is_told_above_the_exporters_own_health() -> None:
    story = StoryView("2013", ("It paged <once>.",), ("Feature", "Days"), (("temperature", "266"), ("dest", "–")))
    told = seen(replace(page(FLIGHTS), story=story))
    assert "2013 It paged <once>. Feature Days temperature 266 dest –" in told.text
    assert [cell["data-label"] for cell in told.all("td", **{"data-label": "Days"})] == ["Days", "Days"]
    assert "It paged" not in seen(page(FLIGHTS)).text


def features(*columns: ColumnView) -> PageView:
    """A page of one version with these features in one window of 2,000 rows."""
    only = replace(window("1h", columns, 1), rows=2_000)
    return page(replace(FLIGHTS, reference=reference("m", "1", columns), windows=(only,)))


def drawn(view: ColumnView) -> Histogram:
    made = histogram(view)
    assert made is not None
    return made


def figured(name: str, **figures: float) -> ColumnView:
    return ColumnView(name, False, None, None, figures)


# The order and the verdict


def test_features_stand_by_psi_in_units_of_its_limit() -> None:
    far = figured("few bins", psi=0.30, psi_limit=0.05)
    near = figured("many bins", psi=0.40, psi_limit=0.20)
    assert [c.name for c in worst_first([near, far])] == ["few bins", "many bins"]


def test_features_that_cannot_be_compared_come_last_by_name() -> None:
    names = [c.name for c in worst_first([figured("b"), figured("a"), figured("c", psi=0.0), figured("d", psi=0.1)])]
    assert names == ["d", "c", "a", "b"]


def test_a_feature_differs_beyond_its_limit_and_not_at_it() -> None:
    assert Column(figured("x", psi=0.11, psi_limit=0.1)).differs
    assert not Column(figured("x", psi=0.1, psi_limit=0.1)).differs
    assert not Column(figured("x", psi=0.1)).differs


def test_the_limit_stands_in_the_middle_of_the_meter_and_no_psi_leaves_it() -> None:
    psi = (0.0, 0.05, 0.1, 0.3, 1e9)
    assert [Column(figured("x", psi=p, psi_limit=0.1)).meter for p in psi] == [0, 33.3, 50, 75, 100]


def test_the_verdict_names_the_features_that_differ_worst_first() -> None:
    text = seen(page(FLIGHTS)).text
    verdict = "5 of 13 features differ from the reference in the last 24h"
    assert f"{verdict}: temperature, pressure, wind_direction, humidity, dest" in text
    assert "The model's own output differs as well: score" in text


def test_the_verdict_names_no_more_than_fit_a_line() -> None:
    columns = [figured(f"f{i}", psi=1 - i / 100, psi_limit=0.1) for i in range(9)]
    assert (
        "9 of 9 features differ from the reference in the last 1h: f0, f1, f2, f3 and 5 more"
        in seen(features(*columns)).text
    )


def test_where_nothing_drifted_the_verdict_says_so() -> None:
    text = seen(page(version(warmer=0.0))).text
    assert "None of 13 features differs from the reference in the last 24h" in text
    assert "differs as well" not in text


# The scores


def judged(score: float = 1.8) -> VersionView:
    return replace(FLIGHTS, verdict=views.verdict(score))


def test_above_the_line_the_verdict_says_since_when_and_which_features_carry_it() -> None:
    text = seen(page(judged())).text
    assert "Drift since 2013-07-14 11:00 UTC: temperature, pressure" in text
    assert "5 of 13 features differ from the reference in the last 24h" in text


def test_below_the_line_the_verdict_is_silence_whatever_the_distances_say() -> None:
    calm = replace(views.verdict(0.4), features={"temperature": ScoreView(0.4, "distribution")})
    text = seen(page(replace(FLIGHTS, verdict=calm))).text
    assert "Silent: nothing to wake anybody for 5 of 13 features differ" in text


def test_a_feature_over_its_line_alone_is_named_in_a_silent_verdict() -> None:
    text = seen(page(replace(FLIGHTS, verdict=replace(views.verdict(), model=0.7)))).text
    assert "Silent as a whole, though temperature, pressure are over their lines" in text


def test_too_many_errors_and_a_missed_target_are_said() -> None:
    verdict = replace(views.verdict(0.2), features={}, performance=1.3, targets={"accuracy": 1.01, "recall": 0.2})
    assert (
        "More errors than the reference had; Target missed: accuracy"
        in seen(page(replace(FLIGHTS, verdict=verdict))).text
    )


def test_the_largest_scores_say_what_they_are_of_since_when_and_in_which_pattern() -> None:
    text = seen(page(judged())).text
    assert "temperature 1.80 2013-07-14 11:00 UTC distribution sudden" in text
    assert "pressure 1.20 2013-07-14 11:10 UTC missing gradual" in text
    assert "score (output) 0.70 – distribution –" in text


def test_the_history_of_the_score_is_drawn_with_its_line() -> None:
    picture = next(seen(page(judged())).all("svg", **{"aria-label": "The model's score, at most 1.80."}))
    assert picture["viewbox"] == f"0 0 600 {HEIGHT}"


def test_features_over_their_line_stand_first() -> None:
    columns = [figured("far", psi=0.9, psi_limit=0.1), figured("judged", psi=0.01, psi_limit=0.1)]
    scores = {"judged": ScoreView(1.1, "missing")}
    assert [c.name for c in worst_first(columns, scores)] == ["judged", "far"]


def test_the_version_with_the_larger_score_comes_first() -> None:
    one, two = judged(1.2), replace(judged(3.4), model="worse")
    assert [s.view.model for s in worst_versions_first([one, two], None)] == ["worse", "flight-delay"]


# Performance


def good(view: PerformanceView) -> PageView:
    windows = tuple(replace(w, performance=view) for w in FLIGHTS.windows)
    return page(replace(FLIGHTS, windows=windows))


def test_performance_stands_with_its_coverage_matured_estimated_and_the_reference() -> None:
    text = seen(good(views.performance())).text
    assert "4,100 labelled rows in the last 24h, 68.3% of its predictions" in text
    assert "Accuracy 81.2% 79.4% 82.1% 83.4%" in text
    assert "Log-loss 0.4312 – – 0.39" in text


def test_the_confusion_matrix_shows_rows_and_their_share_of_the_label() -> None:
    text = seen(good(views.performance())).text
    assert "Label 0 1 0 3,100 96.3% 120 3.7% 1 650 73.9% 230 26.1%" in text


def test_slices_stand_worst_first_and_empty_ones_are_left_out() -> None:
    text = seen(good(views.performance())).text
    assert "long_haul = true 66.0% 300 origin = EWR 71.0% 1,500 origin = JFK 86.0% 1,600" in text
    assert "long_haul = missing" not in text


def test_of_a_regression_the_largest_error_is_the_worst_slice() -> None:
    slices = tuple(
        SliceView("origin", name, 10, {"mean_absolute_error": error}) for name, error in (("A", 1.0), ("B", 3.0))
    )
    view = PerformanceView(20, None, {"mean_absolute_error": 2.0}, slices=slices)
    assert "origin = B 3 10 origin = A 1 10" in seen(good(view)).text


def test_a_performance_of_which_nothing_can_be_computed_has_a_page() -> None:
    assert "0 labelled rows in the last 24h" in seen(good(PerformanceView(0, 0.0, {}))).text


def test_a_gap_in_the_figure_over_time_is_a_gap_in_its_line() -> None:
    drawn = line([(0, 0.5), (1, None), (2, 0.7), (3, 0.6)], "", low=0.0, high=1.0)
    assert drawn is not None
    assert drawn.path.count("M") == 2


# What is shown


def test_the_page_shows_rows_span_last_event_and_predictions() -> None:
    text = seen(page(FLIGHTS)).text
    assert "Rows in the window 6,000 2013-07-13 12:00 UTC to 2013-07-14 12:00 UTC" in text
    assert "Last event 42 seconds ago 2013-07-14 11:59:18 UTC" in text
    assert "Predictions in all 183,912" in text
    assert "Evaluated 2013-07-14 12:00:00 UTC" in text


def test_a_window_is_chosen_by_its_link() -> None:
    links = [a["href"] for a in seen(page(FLIGHTS)).all("a") if "window=" in a["href"]]
    assert links == [f"?model=flight-delay&version=1&window={name}" for name in ("1h", "24h", "7d")]
    chosen = seen(page(FLIGHTS), model="flight-delay", version="1", window="7d")
    assert "in the last 7d" in chosen.text
    assert [a["href"] for a in chosen.all("a", **{"aria-current": "page"})] == [links[2]]


def test_of_several_versions_the_worst_comes_first_and_is_shown() -> None:
    calm = version("calm", warmer=0.0)
    text = seen(page(calm, FLIGHTS)).text
    assert "2 model versions" in text
    assert text.index("5 of 13 features differ: temperature") < text.index("None of 13 features differs")
    assert "5 of 13 features differ from the reference" in text


def test_any_version_can_be_chosen() -> None:
    calm = version("calm", warmer=0.0)
    chosen = seen(page(calm, FLIGHTS), model="calm", version="1", window="1h")
    assert "None of 13 features differs from the reference in the last 1h" in chosen.text


@pytest.mark.parametrize("query", [{"model": "gone"}, {"model": "flight-delay", "version": "9", "window": "1y"}])
def test_a_link_to_what_is_gone_shows_what_is_there(query: dict[str, str]) -> None:
    assert "5 of 13 features differ from the reference in the last 24h" in seen(page(FLIGHTS), **query).text


def test_names_that_the_reference_does_not_know_are_listed() -> None:
    text = seen(page(replace(FLIGHTS, unexpected=("tail_number", "gate")))).text
    assert "2 features came that the reference does not know tail_number gate" in text


def test_problems_come_first() -> None:
    text = seen(page(FLIGHTS, problems=("The last save failed: no space left",))).text
    assert "1 problem The last save failed: no space left" in text
    body = text.partition("Evaluated")[2]
    assert body.index("1 problem") < body.index("5 of 13")


def test_a_topic_shows_what_was_rejected_in_words_and_how_far_behind_it_is() -> None:
    text = seen(page(FLIGHTS)).text
    assert "flights.predictions 183,957 16 118 42 without a readable time, 3 not JSON" in text
    assert "flights.labels 178,204 0 0 none" in text
    assert "0: 14 records 1: 2 records" in text


def test_a_figure_without_a_name_of_its_own_yet_is_shown_under_its_own() -> None:
    assert "drift_score 1.5" in seen(features(figured("x", psi=0.2, drift_score=1.5))).text


# Little or nothing to show


def test_before_the_first_event_the_page_says_how_to_look_for_one() -> None:
    text = seen(page(**views.NOTHING_YET)).text
    assert "No event yet" in text
    assert "drift-exporter peek --config config.yaml TOPIC" in text
    assert "Still reading the past" in text


def test_a_version_without_a_reference_shows_outputs_and_the_command_that_builds_one() -> None:
    bare = replace(FLIGHTS, model="it's", reference=None, windows=(window("1h", (), 1),))
    bare = replace(bare, windows=(replace(bare.windows[0], rows=10, class_ratios={"no": 0.98, "yes": 0.02}),))
    text = seen(page(bare)).text
    assert "No reference to compare with" in text
    assert """--model 'it'"'"'s' TRAINING.parquet -o 'it'"'"'s.reference.json'""" in text
    assert "no 98.0% yes 2.0%" in text


def test_a_window_without_rows_says_when_the_last_event_came() -> None:
    empty = views.silent(FLIGHTS)
    text = seen(page(replace(empty, last_event=NOON - 7200 * SECOND))).text
    assert "No row in the last 24h" in text
    assert "The last event came 2 hours ago, on 2013-07-14 10:00:00 UTC." in text
    assert "No event yet" in seen(page(empty)).text


def test_a_version_without_windows_has_a_page() -> None:
    assert "No event yet" in seen(page(replace(FLIGHTS, windows=()))).text


def test_a_feature_that_cannot_be_compared_is_listed_all_the_same() -> None:
    text = seen(features(figured("x", mean=4.0, missing_ratio=0.25))).text
    assert "Nothing to compare yet" in text
    assert "x not compared Mean 4 Missing 25.0%" in text


# Pictures


def test_bars_are_shares_of_all_rows_and_the_highest_fills_the_picture() -> None:
    made = drawn(column("x", ["a"] * 50 + ["b"] * 50, ["a"] * 80 + ["b"] * 10 + [None] * 10))
    assert [(bar.label, bar.now, bar.reference) for bar in made.bars] == [("a", 0.8, 0.5), ("b", 0.1, 0.5)]
    assert [(bar.label, bar.now, bar.reference) for bar in made.rest] == [("missing", 0.1, 0.0)]
    assert made.now == f"M1 {HEIGHT}v-100h8v100zM11 {HEIGHT}v-12.5h8v12.5z"
    assert made.reference == f"M0 {HEIGHT}V37.5H10V37.5H20V{HEIGHT}z"


def test_what_lies_beyond_the_reference_has_a_column_of_its_own() -> None:
    before = np.linspace(10, 20, 400)
    made = drawn(column("x", before, np.concatenate([before, [5.0] * 50, [30.0] * 150])))
    beyond = [(bar.label, round(bar.now, 3), bar.reference) for bar in made.bars if bar.beyond]
    assert beyond == [("below 10", 0.083, None), ("above 20", 0.25, None)]
    assert drawn(column("x", before, before)).borders == ""


def test_unseen_categories_have_a_column_of_their_own() -> None:
    [*_, last] = drawn(column("x", ["a"], ["a", "b", "b", "b"])).bars
    assert (last.label, last.now, last.beyond) == ("unseen", 0.75, True)


def test_edges_stand_under_borders_and_single_values_under_the_middle() -> None:
    before = np.concatenate([np.zeros(500), np.linspace(1, 11, 500)])
    made = drawn(column("x", before, before))
    assert (made.ticks[0].label, made.ticks[-1].label) == ("0", "11")
    assert made.ticks[0].at == pytest.approx(50 / len(made.bars))
    assert made.ticks[-1].at == 100
    assert made.atoms == (made.ticks[0].at,)


def test_labels_of_an_axis_tell_its_edges_apart_whatever_the_tails() -> None:
    values = np.exp(np.linspace(-5, 12, 2_000))
    labels = [tick.label for tick in drawn(column("x", values, values)).ticks]
    assert len(set(labels)) == len(labels)


def test_the_text_alternative_says_where_the_window_gained_and_lost() -> None:
    made = drawn(column("x", ["a"] * 50 + ["b"] * 50, ["a"] * 80 + ["b"] * 20))
    assert made.sentence == "Gained most: a (50.0% → 80.0%). Lost most: b (50.0% → 20.0%)."
    assert drawn(column("x", ["a", "b"], ["a", "b"])).sentence == "As in the reference."


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (np.full(50, np.nan), np.full(20, np.nan)),
        (np.full(50, np.nan), np.arange(20.0)),
        (np.full(50, 3.0), np.full(20, 4.0)),
        (np.array([1e-150, 1e150]), np.array([-1e150, np.inf])),
        ([None], [None, "a"]),
        ([None], [None]),
    ],
    ids=["nothing valid", "nothing valid before", "constant", "extreme", "no category", "no category at all"],
)
def test_a_column_without_a_shape_has_a_picture_too(before: views.Values, now: views.Values) -> None:
    assert "<svg" in render(features(column("x", before, now)), {}).decode()


# Privacy and safety


@pytest.mark.parametrize("how", ["hash", "hide"])
def test_hidden_categories_are_nowhere_on_the_page(how: str) -> None:
    secret = column("passenger", ["Ada", "Grace"] * 50, ["Ada"] * 90 + ["Grace"] * 10, categories=how)
    html = render(features(secret), {}).decode()
    assert "Ada" not in html
    assert "Grace" not in html
    assert "category 1 (50.0% → 90.0%)" in html


def test_no_name_becomes_markup() -> None:
    hostile = column(HOSTILE, [HOSTILE, "b"] * 50, [HOSTILE] * 90)
    view = replace(
        features(hostile),
        records={HOSTILE: 1},
        rejected={(HOSTILE, HOSTILE): 1},
        late={HOSTILE: 1},
        lag={(HOSTILE, 0): 1, (HOSTILE, 1): 1},
        problems=(HOSTILE,),
        release=HOSTILE,
    )
    [made] = view.versions
    windows = (replace(made.windows[0], name=HOSTILE, class_ratios={HOSTILE: 1.0}),)
    made = replace(made, model=HOSTILE, version=HOSTILE, task=HOSTILE, unexpected=(HOSTILE,), windows=windows * 2)
    view = replace(view, versions=(made, replace(made, version="2", reference=None)))
    for query in ({}, {"model": HOSTILE, "version": "2"}):
        page = seen(view, **query)
        assert [attrs["src"].partition("?")[0] for attrs in page.all("script")] == ["static/page.js"]
        assert page.text.count(HOSTILE) >= 10


def test_the_page_needs_nothing_from_elsewhere_and_no_inline_style_or_script() -> None:
    page = seen(features(*views.many(8)))
    for tag, attrs in page.tags:
        assert tag != "style"
        assert tag != "script" or attrs["src"]
        assert not {name for name in attrs if name == "style" or name.startswith("on")}
        for name in {"src", "href"} & attrs.keys():
            assert re.match(r"(static/|metrics$|\?)", attrs[name]), attrs
    assert not re.search(rb"https?:|@import|url\(", b"".join(body for _, body in ASSETS.values()).replace(SVG, b""))
    assert "unsafe" not in SECURITY_POLICY


SVG = b'xmlns="http://www.w3.org/2000/svg"'


def test_whatever_the_page_asks_for_is_served() -> None:
    asked = {attrs.get("href", attrs.get("src", "")) for _, attrs in seen(page(FLIGHTS)).tags}
    names = {url.removeprefix("static/").partition("?")[0] for url in asked if url.startswith("static/")}
    assert names == set(ASSETS)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1), min_size=1, max_size=3))
@settings(max_examples=30)
def test_every_name_is_read_as_it_was_written(names: list[str]) -> None:
    page = seen(features(*(figured(name, psi=0.5, psi_limit=0.1) for name in names)))
    assert [attrs["title"] for attrs in page.all("span", **{"class": "text"})] == sorted(names)


def test_half_a_surrogate_in_a_name_does_not_take_the_page_down() -> None:
    view = features(figured("\ud800", psi=0.5, psi_limit=0.1))
    [made] = view.versions
    assert b"?" in render(replace(view, versions=(replace(made, model="\ud800"), made)), {"model": "\ud800"})


# Words


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0%"), (0.0004, "< 0.1%"), (0.123, "12.3%"), (0.9997, "> 99.9%"), (1.0, "100%")],
)
def test_a_share_that_is_not_nothing_never_reads_as_nothing(value: float | None, text: str) -> None:
    assert words.share(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (-5.0, "−5"),
        (12345.0, "12,345"),
        (12345.6, "12,346"),
        (0.012345, "0.01235"),
        (1e9, "1e+09"),
    ],
)
def test_numbers_keep_four_digits(value: float | None, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (76.0038, 9.0, "76.00"),
        (0.009408, 0.03, "0.0094"),
        (1234.5, 500.0, "1,234"),
        (3.0, 0.0, "3"),
        (2e7, 1.0, "2e+07"),
    ],
)
def test_a_mean_is_as_exact_as_the_spread_of_its_feature(value: float, spread: float, text: str) -> None:
    assert words.rounded(value, spread) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (400 * 86400, "1 year ago"),
        (-90, "in 1 minute"),
    ],
)
def test_a_time_is_told_from_the_evaluation(seconds: int, text: str) -> None:
    assert words.ago(NOON - seconds * SECOND, NOON) == text


# Colours


def colours(block: str) -> Mapping[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", block))


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa_and_bars_that_of_graphics(mode: str) -> None:
    light, dark = (colours(block) for block in re.findall(r":root {(.*?)}", ASSETS["page.css"][1].decode(), re.S)[:2])
    palette = light if mode == "light" else light | dark
    texts = [(text, ground) for text in ("text", "muted", "link") for ground in ("ground", "panel")]
    texts += [("differs-text", "differs-ground"), ("bad", "bad-ground")]
    graphics = [(bar, "panel") for bar in ("now", "differs", "outline", "good")]
    for pairs, least in ((texts, 4.5), (graphics, 3.0)):
        for one, other in pairs:
            low, high = sorted((luminance(palette[one]), luminance(palette[other])))
            assert (high + 0.05) / (low + 0.05) >= least, f"{one} on {other}"
