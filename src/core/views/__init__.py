"""Views: measures folded over windows of event time, exactly once."""
