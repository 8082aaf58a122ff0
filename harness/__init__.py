"""The kernel of benchmarks, checks and demo: facts of the tree, processes, memory, waits, applications of Spark."""
