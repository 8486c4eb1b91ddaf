"""Pure maths on values and vectors: intervals, variance parts, distances between sets."""
