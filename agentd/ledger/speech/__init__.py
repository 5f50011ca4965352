"""What the caller's words decide, and what a model's sentence claims."""
