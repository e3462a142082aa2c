"""Scores and ranks of many what-ifs at once: plain NumPy, and compiled where that is at hand."""
