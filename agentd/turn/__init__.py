"""The turn machine: what is legal now, and what follows."""
