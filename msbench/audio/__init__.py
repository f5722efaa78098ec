"""Audio files and streams of samples."""
