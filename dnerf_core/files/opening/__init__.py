"""Files that others wrote, opened: regular ones only, PNGs whole, JSON texts that can be written again."""
