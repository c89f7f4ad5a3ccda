"""From token ids to vectors. Imports nothing, because the configuration is checked from here before torch loads."""
