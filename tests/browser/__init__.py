"""The real pages in Chromium."""
