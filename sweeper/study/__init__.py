"""The shared study: its folder, storage, trials and what they came to."""
