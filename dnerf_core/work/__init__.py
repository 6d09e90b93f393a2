"""What work inside the engine needs: cores, how torch is started, an end from outside, values made once, and number formats of a device."""
