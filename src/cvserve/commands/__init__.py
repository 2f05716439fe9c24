"""The commands, one file or folder each: parse, call the library, print."""
