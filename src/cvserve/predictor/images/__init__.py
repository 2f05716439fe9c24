"""From the bytes of a picture to an upright Pillow image."""
