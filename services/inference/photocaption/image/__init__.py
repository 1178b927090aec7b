"""From bytes of strangers to the encoder's input."""
