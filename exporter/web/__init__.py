"""HTTP: /metrics, health, the page; who may come in, and how many.

`site` is what is served, `hosts` under which names the admin's part of it. Around it: `rules` is web-config.yaml in
force, `tls` certificates, `guard` everything that is asked of a request before it is answered (`passwords` among it),
`connections` what holds slow and silent clients off, `server` the thread in which all of it runs.
"""

from exporter.web.rules import Rules
from exporter.web.server import Server, WebError
from exporter.web.site import Admin, Site

__all__ = ["Admin", "Rules", "Server", "Site", "WebError"]
