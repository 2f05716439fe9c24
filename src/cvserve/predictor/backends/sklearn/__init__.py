"""Classifiers of scikit-learn, run by scikit-learn itself or compiled to ONNX."""
