"""What a data set is like and what looks wrong with it, before a model is trained on it."""
