"""The native library for other platforms, and the tests of the core on one of them."""
