"""Training: batches, losses, the one loop that every stage shares, and a file a stage."""
