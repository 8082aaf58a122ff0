"""Faults injected into running applications; run.py is the entry."""
