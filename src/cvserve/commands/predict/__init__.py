"""`cvserve predict`: pictures answered in the terminal."""
