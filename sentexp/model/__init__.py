"""Models: token ids of a padded batch and their lengths in, logits out."""
