"""What the user sees of what was pressed: the line at each button, and errors that come without a click."""
