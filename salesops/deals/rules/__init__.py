"""What the deals room decides, without Django: moves between stages, amounts, shares, the forecast, places on the board."""
