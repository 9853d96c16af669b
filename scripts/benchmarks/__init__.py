"""What things cost on this machine: each benchmark prints what it measured and keeps nothing."""
