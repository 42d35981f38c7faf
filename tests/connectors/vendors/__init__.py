"""Each vendor against its stand-in."""
