"""The promises of docs/promises.md, each measured by a script of its own, of any interpreter's cvserve."""
