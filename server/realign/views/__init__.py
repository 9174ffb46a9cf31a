"""What a door shows of a run: gates measured again, tool results, a stage to look at, progress on a terminal."""
