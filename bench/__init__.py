"""The benchmarks. cache.py, metrics.py, sinks.py, python.py and cluster.py are programs (run.py); verify.py recomputes their figures."""
