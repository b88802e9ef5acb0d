"""The flights: a model that says which departures from New York in 2013 will be late, to watch it drift."""
