"""Kernels against their naive form and against what a user would pick instead: `python -m benchmarks`."""
