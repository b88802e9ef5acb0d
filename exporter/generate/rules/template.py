"""Pieces of descriptions, in Prometheus' template language; `%q` writes a label's value as PromQL reads it."""

from __future__ import annotations

from collections.abc import Sequence

VERSION_OF = "{{ $labels.model }} version {{ $labels.model_version }}"
VERSION = ("job", "model", "model_version")


def value(form: str = "%.2f") -> str:
    """The alert's value."""
    return f'{{{{ printf "{form}" $value }}}}'


def each(query: str, item: str, labels: Sequence[str] = VERSION) -> str:
    """`item` for each series of `query`, in which `SELECTED` stands for the matchers of the alert's own `labels`."""
    return f"{{{{ range {_asked(query, labels)} }}}}{item}{{{{ end }}}}"


def worst(query: str, item: str, most: int = 5) -> str:
    """`each` of the greatest, the greatest first."""
    return each(f"sort_desc(topk({most}, {query}))", item)


def also(query: str, item: str) -> str:
    """Within `each` over features: `item` for what else is known of this one; `FEATURE` stands for its matcher."""
    return f"{{{{ range {_asked(query, VERSION, feature=True)} }}}}{item}{{{{ end }}}}"


def _asked(query: str, labels: Sequence[str], *, feature: bool = False) -> str:
    selected = ", ".join(f"{label}=%q" for label in labels) + (", feature=%q" if feature else "")
    values = [f"$labels.{label}" for label in labels] + ([".Labels.feature"] if feature else [])
    asked = query.replace("SELECTED", selected)
    if query.count("SELECTED") != 1:
        raise ValueError("a query names the alert's labels once")
    return f"query (printf `{asked}` {' '.join(values)})"
