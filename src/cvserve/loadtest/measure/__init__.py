"""Loads one after the other, and what was measured of each."""
