"""Several views of one subject: what one says of another, how far they agree, and masks carried or made consistent between them."""
