"""What layers see on the clips: observers and the passes that insert them."""
