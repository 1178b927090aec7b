"""What every request passes through, whatever page it asks for."""
