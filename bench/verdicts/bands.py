"""Figures that must hold, and those that did not."""

failures: list[str] = []


def hold(name: str, figure: float, most: float) -> str:
    """The figure as text; one above `most` is marked, and remembered in `failures`."""
    if figure <= most:
        return f"{figure:g}"
    failures.append(f"{name}: {figure:g}, must be at most {most:g}")
    return f"{figure:g} (!)"
