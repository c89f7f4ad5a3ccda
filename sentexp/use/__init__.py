"""A trained model after its run: found again, and put to use."""
