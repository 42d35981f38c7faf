"""The commission engine: pure rules over columns and Fractions. Nothing is imported here, so the verifier stays light."""
