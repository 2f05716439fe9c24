"""Endpoints translate: parse, one call, respond."""
