"""From numbers of words to vectors. Empty of imports, because the configuration is checked from here before torch."""
