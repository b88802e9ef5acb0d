"""`python -m tests.golden.update`: the page of /metrics anew, to be looked at in the diff before it is committed.

The events are those of events.jsonl and labels.jsonl; the reference was made once from training.jsonl, and keeps the
time when it was.
"""

import re
from pathlib import Path

from tests.stories.world import World

FOLDER = Path(__file__).parent
PAGE = FOLDER / "metrics.txt"


def page() -> str:
    """What replay prints, but for the release and the Python it runs on."""
    topics = {"flights.predictions": "events.jsonl", "flights.labels": "labels.jsonl"}
    done = World(FOLDER).replay(*(f"{topic}={FOLDER / name}" for topic, name in topics.items()))
    assert done.code == 0, done.errors
    return re.sub(r"^drift_exporter_build_info{.*}", "drift_exporter_build_info{…}", done.page, flags=re.MULTILINE)


if __name__ == "__main__":
    PAGE.write_text(page())
