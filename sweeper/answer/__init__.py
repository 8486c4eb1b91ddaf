"""The answer of a study: pure functions from its records to a sentence, numbers and files."""
