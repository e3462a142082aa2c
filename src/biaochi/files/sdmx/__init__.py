"""SDMX: observations and structures as CSV 2.0, ML 3.0 and JSON 2.0, in and out without loss."""
