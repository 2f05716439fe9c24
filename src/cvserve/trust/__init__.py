"""What a user trusts: what a folder says beyond its reach, and the records of it that no folder can write."""
