"""The effort score of people: a signal for coaching. No room that pays, routes or promotes can see it."""
