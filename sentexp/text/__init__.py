"""From raw text to token ids: clean, tokenize, count, look up; each text is tokenized once and cached on disk."""
