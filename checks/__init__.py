"""Checks against real processes, one folder per kind of evidence."""
