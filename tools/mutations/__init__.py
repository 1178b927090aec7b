"""Mutation tests of SECURITY.md: removes one protection after the other, and runs the test that should fail."""
