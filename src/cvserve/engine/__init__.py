"""Runs one predictor for many callers at once: admission, natural batching, workers. Knows no HTTP."""
