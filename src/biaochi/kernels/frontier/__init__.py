"""Benefit of the doubt (data envelopment): forms, and the linear programs they pose."""
