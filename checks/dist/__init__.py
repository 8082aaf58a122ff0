"""The files of a release, and projects that use it."""
