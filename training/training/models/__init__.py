"""The Keras models, and how captions are drawn from them."""
