"""Self-contained HTML pages: plain data in, one file out; standard library and pillow only."""
