"""PyTorch modules, TorchScript and exported programs."""
