"""Tables, and the words that stand with them."""
