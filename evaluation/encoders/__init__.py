"""What looks at pictures: encoders behind one protocol, their memory, and the facts of pixels."""
