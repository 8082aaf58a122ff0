"""The cache benchmark; cache.py and verify.py are its entries."""
