"""A model beside the framework that made it: differences, and what may cause them."""
