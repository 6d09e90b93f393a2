"""Which number format and memory layout the super-resolutions' convolutions run in: measured on this processor, kept, recorded."""
