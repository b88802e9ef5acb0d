"""`python -m tests.upgrade.save NAME`: what this commit saves in the middle of the log, as tests/upgrade/NAME.tar.xz.

Run once for every release, in its own tree; the archive is committed and stays. One for a commit that had no such
folder yet:

    git worktree add /tmp/earlier COMMIT && cp -r tests/upgrade /tmp/earlier/tests/
    (cd /tmp/earlier && PYTHONPATH=$PWD python -m tests.upgrade.save COMMIT)

In the archive: the configuration, the references, the state's folder, and the page as that release published it.
"""

import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.replay import stable
from exporter.sources.memory import MemorySource
from exporter.state import RocksStore
from tests.stories.world import World
from tests.upgrade.log import CONFIG, POLL, POLLS, items, references

FOLDER = Path(__file__).parent


def save(name: str) -> Path:
    """The archive's path."""
    out = FOLDER / f"{name}.tar.xz"
    with TemporaryDirectory() as folder:
        made = World(Path(folder))
        made.configure(CONFIG)
        references(made)
        app = made.app(MemorySource(items(), POLL), RocksStore(made.folder / "state"))
        for turn in range(POLLS):
            app.take(app.source.poll(0))
            if turn % 5 == 2:  # the first of many saves, of which each writes only what changed
                app.tick()
        app.tick()
        app.store.close()
        (made.folder / "page.txt").write_text(stable(app.snapshot.text.decode()))
        with tarfile.open(out, "w:xz") as archive:
            for path in sorted(made.folder.rglob("*")):
                if path.name not in ("LOG", "LOCK", "training.jsonl") and path.is_file():
                    archive.add(path, path.relative_to(made.folder))
    return out


if __name__ == "__main__":
    path = save(sys.argv[1])
    print(f"{path}: {path.stat().st_size:,} bytes")
