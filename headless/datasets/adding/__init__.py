"""Views that are added to a data set one by one, of any subject from any camera."""
