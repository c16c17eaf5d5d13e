"""For those who read: questions to what is published. Nothing here writes in a job's folder."""
