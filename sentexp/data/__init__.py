"""Reviews with labels: written (demo), fetched (hub) or read (files)."""

from sentexp.data.reviews import Reviews

__all__ = ["Reviews"]
