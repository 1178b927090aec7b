"""From untrusted bytes to the encoder's input."""
