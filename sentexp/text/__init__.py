"""From raw text to word numbers: clean, tokenize, count, number; each text read once and kept on disk."""
