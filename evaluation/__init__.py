"""How good are these pictures: scores that say how sure they are."""
