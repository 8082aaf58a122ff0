"""The demo: the main job on real input. Its entry is run.py."""
