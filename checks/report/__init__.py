"""The report's pages: made, opened in a browser, and looked at."""
