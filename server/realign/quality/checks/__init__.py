"""The gates of every stage: what each measures on the evidence, its thresholds, and the remedy shown when it fails.

shared.py has those of every data type; the others are named after what they check. Tests plant a fault for every gate
and show that it is caught.
"""
