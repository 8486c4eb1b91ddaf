"""Scores in words and on pages: gallery, comparison, report."""
