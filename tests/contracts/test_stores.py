"""What every store promises, whether it ends with its owner or stays on a disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.state import MemoryStore, RocksStore, StateError, Store, destroy


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else RocksStore(tmp_path / "state")
    yield made
    made.close()


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.get(b"a") is None
    assert list(store.scan(b"")) == []


def test_a_row_is_there_once_written_and_gone_once_deleted(store: Store) -> None:
    store.write({b"a": b"1", b"b": b""})
    assert (store.get(b"a"), store.get(b"b")) == (b"1", b"")
    store.write({b"a": None, b"never there": None, b"b": b"2"})
    assert (store.get(b"a"), store.get(b"b"), store.get(b"never there")) == (None, b"2", None)


def test_a_scan_gives_the_rows_with_the_prefix_in_order_of_their_keys(store: Store) -> None:
    rows = {key: key[::-1] for key in (b"b/\xff", b"b/", b"b/\x00\x01", b"b/\x00", b"a", b"b", b"c/", b"b0")}
    store.write(dict(rows))
    assert [key for key, _ in store.scan(b"b/")] == [b"b/", b"b/\x00", b"b/\x00\x01", b"b/\xff"]
    assert dict(store.scan(b"")) == rows
    assert list(store.scan(b"d")) == []


def test_rows_may_be_deleted_while_they_are_scanned(store: Store) -> None:
    store.write({bytes([i]): b"x" for i in range(50)})
    for key, _ in list(store.scan(b"")):
        store.write({key: None})
    assert list(store.scan(b"")) == []


def test_a_store_knows_about_how_large_it_is(store: Store) -> None:
    store.write({b"a": bytes(100_000)})
    assert store.bytes_used() > 0


keys, values = st.binary(max_size=4), st.binary(max_size=20)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(keys, st.one_of(st.none(), values), max_size=5), max_size=8), keys)
def test_a_store_holds_what_a_dictionary_would(
    store: Store, writes: list[dict[bytes, bytes | None]], prefix: bytes
) -> None:
    store.write({key: None for key, _ in list(store.scan(b""))})
    expected: dict[bytes, bytes] = {}
    for rows in writes:
        store.write(rows)
        for key, value in rows.items():
            if value is None:
                expected.pop(key, None)
            else:
                expected[key] = value
        assert list(store.scan(prefix)) == sorted((k, v) for k, v in expected.items() if k.startswith(prefix))


# What only the one on a disk promises


def test_what_was_written_is_there_after_opening_the_folder_again(tmp_path: Path) -> None:
    first = RocksStore(tmp_path)
    first.write({b"a": b"1", b"b": b"2"})
    first.write({b"a": None})
    first.close()
    again = RocksStore(tmp_path)
    assert list(again.scan(b"")) == [(b"b", b"2")]
    again.close()


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    owner = RocksStore(tmp_path)
    with pytest.raises(StateError, match="another process holds this state; stop it, or give this one"):
        RocksStore(tmp_path)
    with pytest.raises(StateError, match="another process holds this state"):
        destroy(tmp_path)
    owner.close()
    destroy(tmp_path)
    anew = RocksStore(tmp_path)
    assert list(anew.scan(b"")) == []
    anew.close()


def test_a_damaged_folder_is_told_with_its_path_and_a_remedy(tmp_path: Path) -> None:
    store = RocksStore(tmp_path)
    store.write({b"a": b"1"})
    store.close()
    (tmp_path / "CURRENT").write_text("MANIFEST-nonsense\n")
    with pytest.raises(StateError, match=str(tmp_path)):
        RocksStore(tmp_path)
