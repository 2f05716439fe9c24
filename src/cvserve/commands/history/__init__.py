"""`cvserve history`: what was predicted, as a table, JSON or CSV; and all that is known of one prediction."""
