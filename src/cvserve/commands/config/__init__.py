"""`cvserve config`: show.py prints the settings of a folder, trust.py lets a user vouch for what they say."""
