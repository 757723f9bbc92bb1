"""What a program is made of: nodes, layers and their metadata, and running a graph step by step."""
