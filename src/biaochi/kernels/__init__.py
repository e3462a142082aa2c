"""Arrays in, arrays out. ``x`` is (..., unit, indicator), NaN is missing, inputs are never written to."""
