"""What a release consists of, and projects that use it."""
