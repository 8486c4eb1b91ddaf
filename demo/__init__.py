"""The embedded world: draws it, trains its base model, and holds the small weights."""
