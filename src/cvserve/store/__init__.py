"""`cvserve.db`: predictions, models and tokens in SQLite. Plain values in and out; knows no predictor."""
