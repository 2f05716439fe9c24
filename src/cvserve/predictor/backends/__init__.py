"""One file a model format; the table in `predictor/loading.py` says which one reads what."""
