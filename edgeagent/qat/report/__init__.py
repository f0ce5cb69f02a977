"""Report about a bundle, as an HTML page and as JSON."""
