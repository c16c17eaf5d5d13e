"""What is done: the stages of a run, and the tasks around them."""
