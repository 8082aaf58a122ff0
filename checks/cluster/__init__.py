"""Andiron on clusters on this machine: checks and kills."""
