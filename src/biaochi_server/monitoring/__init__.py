"""Frameworks, rounds, submissions: from a clerk's figure to an approved one."""
