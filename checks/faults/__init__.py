"""Faults injected into running applications. The entry is run.py."""
