"""The page at `/`: a PageView as HTML, for a person with no Grafana at hand.

Everything comes from here: nothing on it needs another host, and `SECURITY_POLICY` holds the browser to that. The
script only keeps it fresh (static/page.js says how); without scripts the page is whole, and reloads by itself.
"""

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from exporter.page import words
from exporter.page.health import topics
from exporter.page.histogram import HEIGHT
from exporter.page.performance import MOST_SLICES
from exporter.page.verdict import Shown, chosen, worst_versions_first
from exporter.view import PageView

SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

ASSETS: Mapping[str, tuple[str, bytes]] = {
    name: (kind, (files(__package__) / "static" / name).read_bytes()) for name, kind in _TYPES.items()
}
"""What is served under static/: content type and bytes by name. The page asks for each with a version in the query,
so browsers may keep them for ever."""


def render(view: PageView, query: Mapping[str, str]) -> bytes:
    """HTML in UTF-8. `query`: `model`, `version` and `window` choose what is shown in full; names that are not (or no
    longer) there are passed over for the worst version and its middle window."""
    versions = worst_versions_first(view.versions, query.get("window"))
    page = _TEMPLATE.render(view=view, shown=chosen(versions, query), versions=versions, topics=topics(view))
    return page.encode("utf-8", "replace")


def _link(shown: Shown, window: str | None = None) -> str:
    name = window or (shown.window.name if shown.window else "")
    return "?" + urlencode({"model": shown.view.model, "version": shown.view.version, "window": name}, errors="replace")


_ENVIRONMENT = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
_ENVIRONMENT.filters.update(
    ago=words.ago,
    count=words.count,
    distance=words.distance,
    machine_time=words.machine_time,
    minute=words.minute,
    moment=words.moment,
    number=words.number,
    plural=words.plural,
    share=words.share,
)
_ENVIRONMENT.globals.update(
    HEIGHT=HEIGHT,
    PROMINENT=12,
    FEW=24,
    MOST_SLICES=MOST_SLICES,
    link=_link,
    listed=words.listed,
    release_of={name: sha256(content).hexdigest()[:12] for name, (_, content) in ASSETS.items()},
)
_TEMPLATE = _ENVIRONMENT.get_template("page.html.j2")
