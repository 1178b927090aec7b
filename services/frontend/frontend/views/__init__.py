"""Pages and routes: one blueprint a module."""
