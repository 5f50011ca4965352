"""The flow kit: what a flow module is written in, checked and run by."""
