import os

import hypothesis
import pytest

SERVICES = (
    "browser",
    "prometheus",
    "promtool",
    "kafka",
    "secured",
    "helm",
    "compose",
    "alertmanager",
)  # kafka takes a helper of prometheus
# Prometheus first: the others take a helper of it.
PLUGINS = ("browser", "prometheus", "alertmanager", "promtool", "kafka", "secured_kafka", "go_tools")
pytest_plugins = [f"tests.services.{name}" for name in PLUGINS]

# The database and the shared cores make examples, and the making of them, slow at times: that says nothing of the code.
SLOW = {"deadline": None, "print_blob": True, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("here", **SLOW)
# CI tries the same examples each time, so a red build is the commit's doing; new ones are found at desks.
hypothesis.settings.register_profile("ci", **SLOW, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


@pytest.hookimpl(tryfirst=True)  # before pytest itself looks at `-m`
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses a service's fixture is marked `service`, so nobody can forget to say it."""
    for item in items:
        if set(SERVICES) & set(getattr(item, "fixturenames", ())):
            item.add_marker("service")
