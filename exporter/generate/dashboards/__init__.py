"""Four dashboards for Grafana: the fleet, one model, one feature, the exporter itself.

What they show is plain data in `fleet`, `model`, `feature` and `own`; only `grafana` and `files` need the library.
"""

# They stay: bookmarks, and the links of alerts, lead to /d/UID.
FLEET = "drift-exporter-fleet"
MODEL = "drift-exporter-model"
FEATURE = "drift-exporter-feature"
OWN = "drift-exporter-own"
