"""From the posed body's space to the canonical one."""
