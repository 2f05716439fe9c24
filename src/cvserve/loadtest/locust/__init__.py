"""Locust's side of a load test, and the processes that it runs in."""
