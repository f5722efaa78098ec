"""A board as static pages: offline, no server needed, and what strangers' records hold is shown as text alone."""
