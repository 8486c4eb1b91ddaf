"""What a sweep shows while it runs, and what its workers say of themselves."""
