"""Organisations, users and the duties that join them; signing in."""
