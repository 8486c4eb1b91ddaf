"""python -m sweeper: what one asks of studies, and does to them, beside their own command."""
