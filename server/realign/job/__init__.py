"""Stages run in worker processes: started, watched, attended, stopped, and never left behind."""
