"""What tells two spellings of a telephone number apart from two numbers."""

from typing import Final

#: Signs between digits that people write; they mean nothing.
SEPARATORS: Final = (" ", "\u00a0", "-", "(", ")", ".", "/", "+")
#: So many last digits of two spellings of one number are the same, with or without codes of country and area.
LIKENESS: Final = 7
