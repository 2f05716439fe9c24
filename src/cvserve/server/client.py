"""The client's end of the connection."""


class ClientGone(Exception):
    """The client closed the connection before it sent or heard everything."""
