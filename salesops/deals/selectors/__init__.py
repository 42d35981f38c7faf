"""Everything that reads deals, always for an actor."""
