"""Settlement: what a person earned becomes what they are paid."""
