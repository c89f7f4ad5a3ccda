"""Reviews with labels: generated (demo), downloaded (hub) or read (files). `to_reviews` makes them from any source."""

from sentexp.data.reviews import RawSplit, Reviews, to_reviews

__all__ = ["RawSplit", "Reviews", "to_reviews"]
