"""Checks of Andiron against real services on the loopback interface."""
