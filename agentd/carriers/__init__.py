"""One room a carrier; all that is known of its wire is in it."""
