"""Prometheus exporter for model drift."""


def __getattr__(name: str) -> str:
    """`__version__`, asked of the installed distribution only when somebody wants it: the question takes 20 ms."""
    if name == "__version__":
        from importlib.metadata import version

        return version("drift-exporter")
    raise AttributeError(name)
