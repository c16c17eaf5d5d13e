"""One run: its frozen plan, the documents it works on, and what is kept while it does."""
