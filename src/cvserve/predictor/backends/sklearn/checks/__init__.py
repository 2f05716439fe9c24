"""What is looked at in a `.skops` file before anything of it is called; contents.py is the way in."""
