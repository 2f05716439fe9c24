"""`python -m cvserve`, the same as `cvserve`."""

from cvserve.cli import main

if __name__ == "__main__":
    main()
