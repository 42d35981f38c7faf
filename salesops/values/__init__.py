"""Values: money, currency, rates of exchange, periods, outcomes. Pure Python, no Django."""
