"""Checks of the report's pages in a browser, and pictures of them."""
