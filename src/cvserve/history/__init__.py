"""What is done with predictions that were made: recorded, and read again."""
