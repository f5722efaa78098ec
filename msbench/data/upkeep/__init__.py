"""Cards, pictures, verifying and preparing of datasets."""
