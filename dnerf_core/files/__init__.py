"""Files of data, read and written: masks, pictures, photos, annotated and posed folders, clouds, and how a file appears whole."""
