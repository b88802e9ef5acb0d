"""The catalogue turned into what people and other programs read."""
