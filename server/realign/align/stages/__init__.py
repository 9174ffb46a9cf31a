"""The seven stages of each alignment, one file a stage: what it begins with, what it trains, and what it measures."""
