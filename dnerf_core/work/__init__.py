"""What work inside the engine needs: an end from outside, values made once, and number formats of a device."""
