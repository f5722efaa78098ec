"""The demo songs, composed here."""
