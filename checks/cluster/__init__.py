"""Andiron on clusters of this machine: checks, kills and figures."""
