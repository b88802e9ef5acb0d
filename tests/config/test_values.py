"""Values with a notation of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import (
    Condition,
    Duration,
    Field,
    Listen,
    block_panes,
    canonical_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("2m", 120), ("1h", 3600), ("24h", 86_400), ("7d", 604_800), ("1h30m", 5400), ("1d1s", 86_401)],
)
def test_a_duration_keeps_its_text_and_knows_its_nanoseconds(text: str, seconds: int) -> None:
    assert Duration.parse(text) == Duration(text, seconds * 1_000_000_000)
    assert str(Duration.parse(text)) == text


@pytest.mark.parametrize("text", ["", "60", "1.5h", "30m1h", "1h 30m", "1w", "١h", "-1h", "0s", "h", "99999999d"])
def test_what_is_no_duration_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=r".+; write .+"):
        Duration.parse(text)


@given(st.integers(1, 10**9))
def test_a_duration_made_of_seconds_reads_back_as_these_seconds(seconds: int) -> None:
    made = Duration.from_ns(seconds * 1_000_000_000)
    assert Duration.parse(made.text) == made


def test_a_field_is_a_path_a_header_the_key_or_a_constant() -> None:
    assert Field.parse("payload.id") == Field("path", path=("payload", "id"))
    assert Field.parse(".") == Field("path", path=())
    assert Field.parse({"header": "id"}) == Field("header", name="id")
    assert Field.parse({"key": True}) == Field("key")
    assert Field.parse({"const": 3}) == Field("const", value=3)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("distance >= 1500", Condition("x", "distance", ">=", 1500.0)),
        ("distance<-1.5e3", Condition("x", "distance", "<", -1500.0)),
        ("carrier == UA", Condition("x", "carrier", "==", "UA")),
        ("carrier != 'New York'", Condition("x", "carrier", "!=", "New York")),
        ('code == "1"', Condition("x", "code", "==", "1")),
        ("wind speed > 3", Condition("x", "wind speed", ">", 3.0)),
    ],
)
def test_a_slice_may_be_a_condition(text: str, condition: Condition) -> None:
    assert Condition.parse("x", text) == condition
    assert Condition.parse("x", condition.written()["x"]) == condition


@pytest.mark.parametrize(
    "text", ["", "distance", "distance =", "distance = 3", "distance => 3", "carrier < UA", "x > 1e999"]
)
def test_what_is_no_condition_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=r".+; .+"):
        Condition.parse("x", text)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        (":9877", Listen("", 9877)),
        ("127.0.0.1:80", Listen("127.0.0.1", 80)),
        ("[::1]:9877", Listen("::1", 9877)),
        ("localhost:0", Listen("localhost", 0)),
    ],
)
def test_an_address_to_listen_on(text: str, listen: Listen) -> None:
    assert Listen.parse(text) == listen
    assert str(listen) == text


@pytest.mark.parametrize("text", ["9877", "::1:9877", "host", ":99999", "a b:1", ":"])
def test_what_is_no_address_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=r"; write "):
        Listen.parse(text)


@pytest.mark.parametrize("value", ["a", "1", "1.0", "1e3", "", "true", "²"])
def test_a_text_is_its_own_canonical_text(value: str) -> None:
    assert canonical_text(value) == value


def test_numbers_and_booleans_have_one_canonical_text() -> None:
    assert [canonical_text(value) for value in (1, 1.0, -0.0, 0.5, True, False)] == [
        "1",
        "1",
        "0",
        "0.5",
        "true",
        "false",
    ]


def test_a_window_moves_in_steps_of_the_largest_divisor_that_is_a_sixtieth_of_it() -> None:
    for panes in range(1, 3000):
        divisors = [step for step in range(1, panes + 1) if panes % step == 0 and step * 60 <= panes] or [1]
        if panes // divisors[-1] <= 120:
            assert block_panes(panes) == divisors[-1]
        else:
            with pytest.raises(ValueError, match="cannot be cut"):
                block_panes(panes)
