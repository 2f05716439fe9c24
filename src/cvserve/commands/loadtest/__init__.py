"""`cvserve loadtest`: options, progress and the printed report."""
