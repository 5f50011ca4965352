"""A switch and a caller for tests and demos; shares nothing with the daemon but HTTP and a socket."""
