"""The library half: a picture in, a `Prediction` out. Knows neither the store nor HTTP."""
