"""Connections: how they are accepted, limited and ended, below the app."""
