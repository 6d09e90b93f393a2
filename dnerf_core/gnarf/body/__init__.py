"""The body that moves: its template, and how it is posed."""
