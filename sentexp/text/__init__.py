"""From raw text to token ids: clean, tokenize, count, look up; each text is tokenized once and cached on disk."""

LONGEST_REVIEW = 1_000_000
"""Tokens that a review may be cut or padded to: nobody writes more, and a batch may be padded to as many."""
