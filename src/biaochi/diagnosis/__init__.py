"""From a rank to what to do about it: why a score is what it is, what to mend, what would lift a unit, what to look into."""
