"""Closed panes to scores that page someone; they remember, and are saved (STATISTICS §4–6, §8)."""
