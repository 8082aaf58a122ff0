"""The benchmarks. cache.py, metrics.py, sinks.py, atlas.py, python.py and cluster.py run them; verify.py recomputes their figures."""
