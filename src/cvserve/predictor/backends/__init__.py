"""One folder a library; the table in `predictor/loading.py` says which loader reads which format."""
