"""What Prometheus is told: which numbers there are, how several processes add up to one, which ports are counted."""
