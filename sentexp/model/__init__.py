"""Models: word numbers of a padded batch and their lengths in, logits out."""
