"""What a study found: pure functions from its records to the sentence, the numbers and the files of an answer."""
