"""What the demo tells of the year, from the looks it took at the end of each day."""

from datetime import date

import pytest

from exporter.demo.story import HEAD, Look, Over, Page, Story, cells


def told(*looks: Look) -> Story:
    story = Story()
    for one in looks:
        story.add(one)
    return story


def day(number: int, model: float | None, scores: dict[str, float], psi: dict[str, float]) -> Look:
    return Look(date(2013, 4, number), model, scores, psi, frozenset({"weekday"}))


YEAR = [
    day(1, None, {}, {}),
    day(2, 0.4, {"a": 0.4, "b": 0.1, "weekday": 7.0}, {"a": 0.25, "b": 0.0}),
    day(3, 1.2, {"a": 1.2, "b": 1.1, "weekday": 7.0}, {"a": 0.1, "b": 0.0}),
    day(4, 1.0, {"a": 1.0, "b": 0.2, "weekday": 7.0}, {"a": 0.3, "b": 0.21}),
    day(5, 0.9, {"a": 0.9, "b": 0.2, "weekday": 7.0}, {"a": 0.2, "b": 0.19}),
    day(8, 3.0, {"a": 0.3, "b": 3.0, "weekday": 7.0}, {"a": 0.1, "b": 0.0}),
]


def test_a_page_begins_where_the_model_s_score_reaches_its_line_and_ends_below_it() -> None:
    assert told(*YEAR).pages() == [
        Page(("a", "b"), date(2013, 4, 3), date(2013, 4, 5)),
        Page(("b",), date(2013, 4, 8), None),
    ]


def test_features_that_have_no_part_in_the_verdict_are_not_what_a_page_is_for() -> None:
    assert told(YEAR[2]).pages() == [Page(("a", "b"), date(2013, 4, 3), None)]


def test_a_feature_s_year_counts_days_over_its_line_and_stretches_of_a_fixed_psi() -> None:
    found = {one.feature: one for one in told(*YEAR).features()}
    assert found["a"].score == Over(date(2013, 4, 3), 2, 1, 1.2)
    assert found["a"].psi == Over(date(2013, 4, 2), 3, 2, 0.3)
    assert found["b"].score == Over(date(2013, 4, 3), 2, 2, 3.0)
    assert found["b"].psi == Over(date(2013, 4, 4), 1, 1, 0.21)


def test_features_are_ranked_by_their_highest_score_and_quiet_ones_left_out() -> None:
    quiet = day(9, 0.1, {"c": 0.5}, {"c": 0.19})
    assert [one.feature for one in told(*YEAR, quiet).features()] == ["weekday", "b", "a"]


def test_a_fixed_psi_could_alarm_only_on_days_that_had_one() -> None:
    assert told(*YEAR).alarm_days() == (3, 5)


def test_the_year_is_told_in_two_sentences() -> None:
    assert told(*YEAR).sentences("7d") == [
        "For its inputs it would have paged 2 times: on 3 Apr for a, b; on 8 Apr for b.",
        "A fixed PSI > 0.2 over the last 7d would have alarmed on 3 of 5 days, 3 times in all.",
    ]


def test_a_quiet_year_is_told_too() -> None:
    story = told(day(1, 0.0, {"a": 0.0}, {"a": 0.0}))
    assert story.sentences("7d") == [
        "For its inputs it would never have paged.",
        "A fixed PSI > 0.2 over the last 7d would have alarmed on none of 1 days.",
    ]
    assert story.features() == []


@pytest.mark.parametrize("looks", [[], [day(1, None, {}, {})]])
def test_before_anything_could_be_compared_nothing_is_claimed_of_psi(looks: list[Look]) -> None:
    assert not any("PSI" in sentence for sentence in told(*looks).sentences("7d"))


def test_errors_page_for_themselves() -> None:
    looks = [
        Look(date(2013, 5, number), 0.0, {}, {}, errors=errors) for number, errors in enumerate((0.5, 1.0, 0.9), 1)
    ]
    assert told(*looks).error_pages() == [Page((), date(2013, 5, 2), date(2013, 5, 3))]
    assert told(*looks).sentences("7d")[1] == "For its errors it would have paged once: on 2 May."
    assert told(looks[0]).sentences("7d")[1] == "For its errors it would never have paged."


def test_many_pages_are_not_all_told() -> None:
    looks = [day(number, float(number % 2), {"a": float(number % 2)}, {}) for number in range(1, 11)]
    [sentence] = told(*looks).sentences("7d")
    assert (
        sentence
        == "For its inputs it would have paged 5 times: on 1 Apr for a; on 3 Apr for a; on 5 Apr for a; and 2 more."
    )


def test_the_page_s_table_is_the_terminal_s() -> None:
    story = told(*YEAR)
    view = story.view("7d")
    assert view is not None
    assert view.title == "2013 until 8 Apr"
    assert list(view.sentences) == story.sentences("7d")
    assert view.head == HEAD
    assert [row[0] for row in view.rows] == ["weekday", "b", "a"]
    assert view.rows[1] == ("b", *cells(story.features()[1])) == ("b", "3 Apr", "2", "3.0", "4 Apr", "1", "1")


def test_before_the_first_day_is_over_there_is_no_story() -> None:
    assert Story().view("7d") is None
