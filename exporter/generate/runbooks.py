"""docs/runbooks/: what is known of an alert is written around what somebody wrote about it, which is never touched."""

from __future__ import annotations

import re
from pathlib import Path

from exporter.generate.rules.custom import RUNBOOK
from exporter.generate.rules.files import Rules

SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation")
INDEX = "README.md"
ALL = "## All alerts"
"""Of the index: the list from here on is made, what stands before it is written."""

_HEADING = re.compile(rf"^## ({'|'.join(SECTIONS)})$", re.MULTILINE)
_MADE = "<!-- Down to Meaning made by `drift-exporter generate rules --runbooks`; the sections are written by hand. -->"
_ALERT = """\
{summary}

`severity: {severity}`, after {wait}; goes on for {keep} when it is over.

<details><summary>Expression</summary>

```promql
{expr}
```

</details>
"""
_CUSTOM = "Any alert that `alerts.rules` of a configuration asks for leads here."


class RunbookError(ValueError):
    """A page in which the frame has no place."""


def heads() -> dict[str, str]:
    """What stands above the sections of each page, by its name; one page serves all alerts of an operator's own."""
    made = {
        alert.name: _ALERT.format(
            summary=alert.summary, severity=alert.severity, wait=alert.wait, keep=alert.keep, expr=alert.expr
        )
        for alert in Rules().alerts
    }
    return {name: f"# {name}\n\n{_MADE}\n\n{head}" for name, head in (made | {RUNBOOK: _CUSTOM + "\n"}).items()}


def sections(text: str) -> dict[str, str]:
    """What is written in each section of a page. RunbookError unless it has the four, in their order."""
    parts = _HEADING.split(text)
    if tuple(parts[1::2]) != SECTIONS:
        raise RunbookError(
            f"needs the headings {', '.join(f'## {name}' for name in SECTIONS)}, once each, in this order"
        )
    return dict(zip(SECTIONS, (part.strip("\n") for part in parts[2::2]), strict=True))


def framed(head: str, text: str | None) -> str:
    """A page with its head anew; without text one with empty sections, to be written."""
    written = dict.fromkeys(SECTIONS, "") if text is None else sections(text)
    return head + "".join(f"\n## {name}\n" + (f"\n{part}\n" if part else "") for name, part in written.items())


def index(text: str) -> str:
    """The index with its list anew."""
    before, found, _ = text.partition(ALL + "\n")
    if not found:
        raise RunbookError(f"needs the heading {ALL}")
    rows = [f"| [{one.name}]({one.name}.md) | `{one.severity}` | {one.summary} |" for one in Rules().alerts]
    rows.append(f"| [{RUNBOOK}]({RUNBOOK}.md) | its own | {_CUSTOM} |")
    return "\n".join((before + ALL, "", "| alert | severity | when |", "| --- | --- | --- |", *rows, ""))


def write(folder: Path) -> list[Path]:
    """The pages of `folder` with what is known of each alert now; the paths. RunbookError names the page that does not
    fit, before anything is written."""
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[Path, str] = {}
    path = folder / INDEX
    try:
        made[path] = index(_read(path) or f"# Runbooks\n\n{ALL}\n")
        for name, head in heads().items():
            path = folder / f"{name}.md"
            made[path] = framed(head, _read(path))
    except RunbookError as error:
        raise RunbookError(f"{path}: {error}") from None
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return list(made)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
