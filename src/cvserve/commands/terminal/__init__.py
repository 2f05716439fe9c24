"""What the commands share: output, tables, progress bars, options, pictures."""
