"""A subject's surface as triangles: marched out of its density, painted by its views, and saved."""
