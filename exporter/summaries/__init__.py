"""Mergeable aggregates: integer counts over bins and buckets, and exact sums."""
