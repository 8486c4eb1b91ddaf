"""What is drawn to be scored: by a run's weights or a LoRA file."""
