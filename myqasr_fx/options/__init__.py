"""What a user may ask for, and how recipe, rules and options make one configuration."""
