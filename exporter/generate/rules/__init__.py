"""Rules for Prometheus: from the score to the pager.

`promql` writes expressions from the catalogue, `recordings`, `scores`, `quality` and `own` are the rules themselves,
`custom` the operator's own, `files` puts them together, `units` tests them by promtool.
"""
