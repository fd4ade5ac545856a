"""Types of the options that a user can set, and checks of values against them."""
