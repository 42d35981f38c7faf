"""Changes policies, weights, counts, scores and doubts."""
