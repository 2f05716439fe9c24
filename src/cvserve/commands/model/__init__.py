"""`cvserve model`: inspect, try, check and trust a model file."""
