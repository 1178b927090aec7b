"""What can be visited: one blueprint a module."""
