"""The main job on real input; run.py is its entry."""
