"""Looking through a run's rows by eye: a page on loopback, where each row is kept or rejected by a key.

rows.py lists them, item.py gathers what one shows, guard.py says who may ask, app.py answers.
"""
