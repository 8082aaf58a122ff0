"""Checks against real processes, one folder for each kind of evidence."""
