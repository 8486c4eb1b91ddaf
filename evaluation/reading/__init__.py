"""What is scored: folders of pictures, run folders, and what is given beside them."""
