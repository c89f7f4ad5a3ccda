"""Reviews with labels: generated (demo), downloaded (hub) or read (files). `to_reviews` makes them from any source."""

from sentexp.data.raw_split import RawSplit
from sentexp.data.reviews import Reviews, to_reviews

__all__ = ["RawSplit", "Reviews", "to_reviews"]
