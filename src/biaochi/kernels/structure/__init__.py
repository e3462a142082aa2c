"""How indicators hang together: association, reliability, components."""
